/** Runs one command of a run: output through pipes into logs, limits, stop requests. Node built-ins only. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { errno } from './plain-file.js';
import { readStop } from './records.js';
import { signalExactly, processFacts, type RunTree } from './processes.js';
import type { LimitedLog } from './output.js';

/** Time between SIGTERM and the end of the whole tree. */
const GRACE_MS = 5_000;
const TICK_MS = 100;
const OBSERVE_MS = 1_000;
/** How long the last output may take to arrive once every process is gone. */
const DRAIN_MS = 2_000;

export interface Step {
  command: string[];
  cwd: string;
  env: Record<string, string>;
  wallMs: number;
  stallMs: number | null;
  out: LimitedLog;
  err: LimitedLog;
}

export interface StepEnd {
  code: number | null;
  signal: string | null;
  spawnError: string | null;
  limit: 'wall' | 'stall' | null;
  seconds: number;
  survivors: number;
}

/** Whether the run was asked to stop: by a file in the run directory, or by a signal to the shim (the host ends). */
export class StopWatch {
  readonly #runDir: string;
  by: 'request' | 'host' | null = null;
  reason: string | null = null;

  constructor(runDir: string) {
    this.#runDir = runDir;
    process.on('SIGTERM', () => this.#stop('host', 'the supervisor was told to end'));
    // A terminal that goes away, or Ctrl-C in one, is none of a detached run's business.
    process.on('SIGINT', () => undefined);
    process.on('SIGHUP', () => undefined);
  }

  #stop(by: 'request' | 'host', reason: string): void {
    this.by ??= by;
    this.reason ??= reason;
  }

  stopped(): boolean {
    if (this.by === null) {
      const reason = readStop(this.#runDir);
      if (reason !== null) this.#stop('request', reason);
    }
    return this.by !== null;
  }
}

/**
 * A real pipe (node's own are sockets, which a command cannot reopen as /dev/stdout). The write end is for the child
 * and must be closed here once it has it.
 */
function makePipe(dir: string, sink: LimitedLog): { writeEnd: number; drained: Promise<void>; drop: () => void } {
  const fifo = `${dir}/.pipe-${randomBytes(6).toString('hex')}`;
  const made = spawnSync('mkfifo', ['-m', '600', fifo], { stdio: 'ignore' });
  if (made.error !== undefined || made.status !== 0) {
    throw new Error(`mkfifo failed in ${dir}`, { cause: made.error });
  }
  const readEnd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if (!fstatSync(readEnd).isFIFO()) throw new Error(`${fifo} was replaced`);
  // Not by its name: another FIFO in its place would have nobody who reads, and hold us up.
  const writeEnd = openSync(`/proc/self/fd/${readEnd}`, constants.O_WRONLY);
  rmSync(fifo);
  const socket = new Socket({ fd: readEnd, readable: true, writable: false });
  const drained = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk) => {
      sink.write(chunk);
    });
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
  return { writeEnd, drained, drop: () => socket.destroy() };
}

function started(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve) => {
    child.once('spawn', () => resolve(null));
    child.once('error', (err) => resolve(errno(err) ?? 'UNKNOWN'));
  });
}

/** Runs the command in a session of its own, and ends everything that it leaves behind. */
export async function runStep(step: Step, runDir: string, tree: RunTree, stop: StopWatch): Promise<StepEnd> {
  const begun = performance.now();
  const seconds = (): number => Math.round(performance.now() - begun) / 1000;
  const out = makePipe(runDir, step.out);
  const err = step.err === step.out ? out : makePipe(runDir, step.err);
  const [file = '', ...args] = step.command;
  const child = spawn(file, args, {
    cwd: step.cwd,
    env: step.env,
    detached: true,
    stdio: ['ignore', out.writeEnd, err.writeEnd],
  });
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const spawnError = await started(child);
  closeSync(out.writeEnd);
  if (err !== out) closeSync(err.writeEnd);
  if (spawnError !== null || child.pid === undefined) {
    out.drop();
    err.drop();
    const end = { code: null, signal: null, limit: null, seconds: seconds(), survivors: 0 };
    return { ...end, spawnError: spawnError ?? 'UNKNOWN' };
  }
  tree.addSession(child.pid);
  raiseOomScore(child.pid);
  const watch = watchLimits(step, { pid: child.pid, begun, tree, stop });
  const { code, signal } = await exited;
  watch.end();
  const survivors = await tree.kill();
  const patience = setTimeout(() => {
    out.drop();
    err.drop();
  }, DRAIN_MS);
  await Promise.all([out.drained, err.drained]);
  clearTimeout(patience);
  return { code, signal, spawnError: null, limit: watch.limit(), seconds: seconds(), survivors };
}

/** Ends the command at a limit or on request: SIGTERM to its group, after a grace the whole tree. */
function watchLimits(
  step: Step,
  run: { pid: number; begun: number; tree: RunTree; stop: StopWatch },
): { end: () => void; limit: () => 'wall' | 'stall' | null } {
  const leader = processFacts(run.pid);
  let limit: 'wall' | 'stall' | null = null;
  let ending: number | null = null;
  let observed = run.begun;
  let seen = step.out.seen + step.err.seen;
  let active = run.begun;
  const tick = (): void => {
    const now = performance.now();
    const bytes = step.out.seen + step.err.seen;
    if (bytes !== seen) active = now;
    seen = bytes;
    if (now - observed > OBSERVE_MS) {
      run.tree.observe();
      observed = now;
    }
    if (ending !== null) {
      if (now - ending > GRACE_MS && leader !== null) void run.tree.kill();
      return;
    }
    if (now - run.begun > step.wallMs) limit = 'wall';
    else if (step.stallMs !== null && now - active > step.stallMs) limit = 'stall';
    if (limit === null && !run.stop.stopped()) return;
    ending = now;
    // Whoever has no handler ends now; the rest has the grace.
    for (const p of run.tree.observe()) signalExactly(p, 'SIGTERM');
  };
  const timer = setInterval(tick, TICK_MS);
  return { end: () => clearInterval(timer), limit: () => limit };
}

/** The kernel should take an agent's memory before the database's or ours. */
export function raiseOomScore(pid: number | 'self', score = 800): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch (err) {
    // Gone already, or a kernel without it: a help, not a need.
    if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EROFS'].includes(errno(err) ?? '')) throw err;
  }
}
