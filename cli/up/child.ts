/**
 * Keeps one part of the stack running.
 *
 *   starting ──▶ running ──(ends by itself)──▶ waiting (backoff) ──▶ starting …
 *      └────────────┴────────── stop() ──────────────┴──▶ stopped
 *
 * Invariant: at most one process of the part at a time; after stop() none, and none is started again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessRef } from '../processes.js';

export interface RunningPart {
  process: ProcessRef;
  /** Resolves when the process has ended, with how. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

export interface PartOptions<T extends RunningPart> {
  name: string;
  start: () => Promise<T>;
  log: (line: string) => void;
  /** Hears of every new process. */
  onStart: (part: T) => Promise<void>;
}

/** A dead part is back within 5 s: the wait grows from one failure to the next, up to 4 s. */
const WAITS_MS = [100, 500, 1000, 2000, 4000];
/** One that ran this long starts over with the shortest wait. */
const STEADY_MS = 30_000;

export interface Part<T extends RunningPart> {
  /** The latest process. */
  current(): T;
  stop(): Promise<void>;
}

/** Starts the part, fails if that fails, and from then on restarts it whenever it dies. */
export async function keepRunning<T extends RunningPart>(options: PartOptions<T>): Promise<Part<T>> {
  const stopping = new AbortController();
  let running = await options.start();
  await options.onStart(running);

  async function watch(): Promise<void> {
    let failures = 0;
    for (;;) {
      const since = Date.now();
      const end = await running.ended;
      if (stopping.signal.aborted) return;
      if (Date.now() - since > STEADY_MS) failures = 0;
      options.log(`the ${options.name} ended (${end}): starting it again`);
      do {
        await pause(WAITS_MS[Math.min(failures, WAITS_MS.length - 1)] ?? 0);
        if (stopped()) return;
        failures += 1;
      } while (!(await startAgain()));
    }
  }

  const stopped = (): boolean => stopping.signal.aborted;
  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined); // stop() ends the wait
  }

  async function startAgain(): Promise<boolean> {
    try {
      running = await options.start();
      await options.onStart(running);
      return true;
    } catch (err) {
      options.log(`the ${options.name} does not start: ${(err as Error).message}`);
      return false;
    }
  }

  const watching = watch();
  return {
    current: () => running,
    stop: async () => {
      stopping.abort();
      await running.stop();
      await watching;
      // A start that was under way when the stop came has brought a new process meanwhile.
      await running.stop();
    },
  };
}
