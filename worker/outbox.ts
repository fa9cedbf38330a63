/**
 * The outbox loop: carries out what transactions want outside of Postgres. Woken by NOTIFY, and by a poll for what was
 * put off or whose notification was lost. Any number of processes may run it: a row is held by one at a time.
 */
import type { Logger } from 'pino';
import { listen } from '../store/events.js';
import { carryOutNext, OUTBOX_CHANNEL } from '../store/outbox.js';
import { carryOut, type EffectDeps } from './effects.js';
import { sweep } from './sweep.js';

export interface OutboxOptions extends EffectDeps {
  databaseUrl: string;
  log: Logger;
  /** Rows at once. Each holds a connection while its effect is carried out, so keep it well below the pool's size. */
  concurrency?: number;
  pollMs?: number;
  sweepMs?: number;
}

export interface Outbox {
  /** Takes no more rows and waits for those in hand. */
  stop(): Promise<void>;
}

const BACKOFF = { baseMs: 250, maxMs: 30_000 };
/** A forge that is away for a night is asked no more often than that. */
const OUTSIDE_BACKOFF = { baseMs: 500, maxMs: 300_000 };
const OUTSIDE_AT_ONCE = 2;

export async function startOutbox(options: OutboxOptions): Promise<Outbox> {
  const { databaseUrl, log, concurrency = 3, pollMs = 2000, sweepMs = 15_000 } = options;
  const stopping = new AbortController();
  const bell = new Bell();
  const listener = await listen(databaseUrl, [OUTBOX_CHANNEL], () => bell.ring());

  const once = async (outside: boolean): Promise<boolean> => {
    try {
      const backoff = outside ? OUTSIDE_BACKOFF : BACKOFF;
      const done = await carryOutNext(options.pool, backoff, (row) => carryOut(options, row), outside);
      if (done?.error) log.warn({ err: done.error, key: done.row.key }, 'an effect was put off');
      return done !== null;
    } catch (err) {
      log.warn({ err }, 'the outbox could not be read');
      return false;
    }
  };
  const drain = async (outside: boolean): Promise<void> => {
    while (!stopping.signal.aborted) if (!(await once(outside))) await bell.wait(pollMs, stopping.signal);
  };
  const sweeping = async (): Promise<void> => {
    const clock = new Bell();
    let since: Date | null = null;
    await clock.wait(sweepMs, stopping.signal);
    while (!stopping.signal.aborted) {
      const began = new Date();
      try {
        await sweep(options, sweepMs, since);
        since = began;
      } catch (err) {
        log.warn({ err }, 'the sweep failed; the next one follows');
      }
      await clock.wait(sweepMs, stopping.signal);
    }
  };
  const drains = (length: number, outside: boolean): Promise<void>[] => Array.from({ length }, () => drain(outside));
  const loops = [
    ...drains(concurrency, false),
    ...drains(options.showPullRequest === undefined ? 0 : OUTSIDE_AT_ONCE, true),
    sweeping(),
  ];
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
      await listener.close();
    },
  };
}

/** Wakes whoever waits; a ring while nobody waits is kept for the next. */
class Bell {
  private rung = false;
  private readonly waiting = new Set<() => void>();

  ring(): void {
    this.rung = this.waiting.size === 0;
    for (const wake of [...this.waiting]) wake();
  }

  /** Returns at a ring, after `ms`, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.rung || signal.aborted) {
      this.rung = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake);
      this.waiting.add(wake);
    });
  }
}
