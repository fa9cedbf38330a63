/**
 * The worker's side of supervised runs: start once or attach, look, wait, stop, declare lost. Everything is decided by
 * files and process identity, so any worker of the host, at any time, says the same. See shim.ts for the other side.
 *
 *   (nothing) → starting → running → exited
 *        └────────┴─ tombstone ──┴─ shim killed, claim gone or not by a shim ─→ lost
 *
 * `exited` and `lost` are final. A run id is never run twice; what runs next has another id.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, watch, type FSWatcher } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExitRecord } from '../../domain/agents/exit.js';
import { SignalboxError } from '../../domain/errors.js';
import { entrypoint } from '../entrypoint.js';
import { bootId, isAlive, killTree, runMarks } from './processes.js';
import { isTaken, makeDirectory, openLog } from './plain-file.js';
import { readExit, readShim } from './read-records.js';
import { runFiles, writeOnce, writeWhole } from './records.js';
import type { ShimRecord, StopRequest, SupervisedSpec } from './records.js';
import { newKey, openWarrant, type Warrant } from './warrant.js';

export type RunProbe =
  /** A directory without a claim: a shim may be on its way. */
  | { state: 'starting' }
  | { state: 'running'; shim: ShimRecord }
  | { state: 'exited'; exit: ExitRecord; shim: ShimRecord }
  | { state: 'lost'; reason: string };

export type StartedProbe = Exclude<RunProbe, { state: 'starting' }>;

/** A shim that has not claimed its run by then is started again; after as many tries the run is declared lost. */
const CLAIM_MS = 10_000;
const CLAIM_TRIES = 6;
/** Longer than a supervisor takes to start: what it will run in must not be made anew under it. */
const EARLIER_MS = 2_000;
const POLL_MS = 250;
/**
 * A run that has not ended this long after its limits has a supervisor that somebody holds up (stopped by a signal,
 * say): it is ended from here. More than all that comes before and after the commands takes.
 */
export const OVERDUE_MS = 3_600_000;
/** A stop that the shim has not carried out by then is carried out from here. */
const STOP_MS = 8_000;

/** What is true of a run now. */
export function probe(runDir: string): RunProbe {
  const shim = readShim(runDir);
  if (shim === null) {
    return isTaken(runFiles(runDir).shim) ? { state: 'lost', reason: 'the claim is damaged' } : { state: 'starting' };
  }
  if (shim.tombstone) return { state: 'lost', reason: shim.reason ?? 'declared lost before it started' };
  // In this order: a shim writes its exit record and then goes.
  const alive = isAlive(shim, runDir);
  const exit = readExit(runDir);
  if (exit !== null && isProven(exit, shim)) return { state: 'exited', exit, shim };
  if (alive) return { state: 'running', shim };
  const forged = exit === null ? '' : ', and its exit record is not by the supervisor';
  return { state: 'lost', reason: `the supervisor of the run is gone${forged}` };
}

const isProven = (exit: ExitRecord, shim: ShimRecord): boolean =>
  createHash('sha256').update(exit.proof).digest('hex') === shim.seal;

/**
 * Starts the run, unless somebody did: then attaches. Any number of callers, at once or one after another, killed at
 * any point, start the commands at most once. Gives what is true once the claim stands.
 * @param key signs the exit record, if it is the supervisor started here that wins the claim
 */
export async function startOrAttach(
  runDir: string,
  spec: SupervisedSpec,
  env: Record<string, string>,
  key: string = newKey(),
): Promise<StartedProbe> {
  makeDirectory(runDir);
  makeDirectory(runFiles(runDir).agentDir);
  for (let tries = 0; tries < CLAIM_TRIES; tries += 1) {
    const now = probe(runDir);
    if (now.state !== 'starting') return now;
    spawnShim(runDir, { spec, key }, env);
    await until(runDir, CLAIM_MS, () => probe(runDir).state !== 'starting');
  }
  await declareLost(runDir, spec, 'its supervisor could not be started');
  const now = probe(runDir);
  if (now.state === 'starting')
    throw new SignalboxError('internal', `run ${spec.runId} has neither claim nor tombstone`);
  return now;
}

/** What is true of a run once a supervisor that an earlier attempt may have started had time to claim it. */
export async function probeAfterStart(runDir: string): Promise<RunProbe> {
  if (existsSync(runDir)) await until(runDir, EARLIER_MS, () => probe(runDir).state !== 'starting');
  return probe(runDir);
}

function spawnShim(runDir: string, warrant: Warrant, env: Record<string, string>): void {
  const log = openLog(runFiles(runDir).shimLog);
  const given = openWarrant(runDir, warrant);
  try {
    const child = spawn(process.execPath, [entrypoint('activities/agents/shim'), runDir], {
      cwd: runDir,
      env: { ...env, ...runMarks(warrant.spec.runId, runDir) },
      detached: true,
      stdio: ['ignore', log, log, given],
    });
    // A failed spawn shows as a claim that does not come.
    child.once('error', () => undefined);
    child.unref();
  } finally {
    closeSync(log);
    closeSync(given);
  }
}

/** Waits for a condition on a run directory: at once when a file in it changes, else by looking every now and then. */
async function until(runDir: string, ms: number, met: () => boolean, signal?: AbortSignal): Promise<boolean> {
  const wake = new AbortController();
  let changed = (): void => undefined;
  watchDirectory(runDir, wake.signal, () => changed());
  const aborted = (): void => changed();
  signal?.addEventListener('abort', aborted);
  try {
    for (const end = performance.now() + ms; !met();) {
      const left = end - performance.now();
      if (left <= 0 || signal?.aborted === true) return false;
      const pause = new AbortController();
      changed = () => pause.abort();
      await sleep(Math.min(POLL_MS, left), undefined, { signal: pause.signal }).catch(() => undefined);
    }
    return true;
  } finally {
    signal?.removeEventListener('abort', aborted);
    wake.abort();
  }
}

function watchDirectory(dir: string, signal: AbortSignal, changed: () => void): void {
  let watcher: FSWatcher;
  try {
    watcher = watch(dir, { signal }, changed);
  } catch {
    return; // the directory is gone, or the host has no watches left: what happens is found by looking
  }
  watcher.on('error', changed);
}

/** What is true of a run that was started: a claim is made once, so one that is not there was taken away. */
function probeStarted(runDir: string): StartedProbe {
  const now = probe(runDir);
  return now.state === 'starting' ? { state: 'lost', reason: 'the claim of the run is gone' } : now;
}

/**
 * Waits at most `ms` for the end of a run that was started. Gives what is true then; an abort of `signal` ends the wait.
 */
export async function waitForEnd(runDir: string, ms: number, signal?: AbortSignal): Promise<StartedProbe> {
  let now = probeStarted(runDir);
  const over = (): boolean => {
    now = probeStarted(runDir);
    return now.state === 'exited' || now.state === 'lost';
  };
  await until(runDir, ms, over, signal);
  return now;
}

/** Makes sure that a run which has not started never will. False when it started. */
export function entomb(runDir: string, of: { runId: string; attempt: number; fence: number }, reason: string): boolean {
  const tombstone: ShimRecord = {
    tombstone: true,
    pid: 0,
    startTime: '',
    bootId: bootId(),
    runId: of.runId,
    attempt: of.attempt,
    fence: of.fence,
    seal: '',
    reason,
    at: new Date().toISOString(),
  };
  makeDirectory(runDir);
  return writeOnce(runFiles(runDir).shim, JSON.stringify(tombstone, null, 2));
}

/** Ends a run for good without an exit record: a tombstone if it has not started, else the end of its whole tree. */
export async function declareLost(
  runDir: string,
  of: { runId: string; attempt: number; fence: number },
  reason: string,
): Promise<number> {
  // Without a claim there may be processes all the same: it can be taken away.
  entomb(runDir, of, reason);
  return probe(runDir).state === 'exited' ? 0 : killTree(runDir);
}

/**
 * Stops a run: asks its shim, which lets the agent end in order; where that takes too long, ends the tree. Gives what
 * is true afterwards, never `running`.
 */
export async function stop(
  runDir: string,
  of: { runId: string; attempt: number; fence: number },
  reason: string,
  graceMs = STOP_MS,
): Promise<RunProbe> {
  const request: StopRequest = { reason, at: new Date().toISOString() };
  makeDirectory(runDir);
  writeWhole(runFiles(runDir).stop, JSON.stringify(request));
  const buried = entomb(runDir, of, reason);
  const now = await waitForEnd(runDir, buried ? 0 : graceMs);
  await killTree(runDir);
  return now.state === 'running' ? waitForEnd(runDir, STOP_MS) : now;
}

export { killTree };
