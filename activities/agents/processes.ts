/**
 * Processes by identity, read from /proc. A pid alone says nothing: a process is known by pid and start time of this
 * boot, and belongs to a run when its environment carries the run's marks: the run id, for people and agents, and the
 * run directory, which tells instances on one machine apart. Node built-ins only: the shim loads this.
 *
 * Limit: without a PID namespace a process that clears its environment and leaves its session within a second of its
 * birth is not found; `survivors` and the janitor's report say what is known.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errno } from './plain-file.js';

const DIRECTORY_MARK = 'SIGNALBOX_RUN_DIR';

/** The mark of a run: its directory by its place, whatever lies there by now, and also once it is gone. */
function markFor(runDir: string): string {
  const parent = path.dirname(path.resolve(runDir));
  return path.join(existsSync(parent) ? realpathSync(parent) : parent, path.basename(runDir));
}

/** The two variables that every process of a run inherits. */
export const runMarks = (runId: string, runDir: string): Record<string, string> => ({
  SIGNALBOX_RUN: runId,
  [DIRECTORY_MARK]: markFor(runDir),
});

export interface ProcessFacts {
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** Clock ticks since boot, as text. */
  startTime: string;
  /** Dead, but not yet collected by its parent. */
  zombie: boolean;
}

function readProc(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch (err) {
    // Gone, or not ours to look at.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errno(err) ?? '')) return null;
    throw err;
  }
}

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** Facts of a process, or null when there is none. */
export function processFacts(pid: number): ProcessFacts | null {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the command's name in parentheses and may hold anything; the rest follows the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const startTime = fields[19];
  if (state === undefined || startTime === undefined) return null;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime,
    zombie: state === 'Z' || state === 'X',
  };
}

/** The run directory in a process's environment, or null. */
export function markOf(pid: number): string | null {
  const environ = readProc(`/proc/${pid}/environ`);
  const entry = environ?.split('\0').find((e) => e.startsWith(`${DIRECTORY_MARK}=`));
  return entry === undefined ? null : Buffer.from(entry.slice(DIRECTORY_MARK.length + 1), 'latin1').toString('utf8');
}

export function allProcesses(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processFacts(Number(name)))
    .filter((facts) => facts !== null && !facts.zombie) as ProcessFacts[];
}

/** True while this very process lives: same boot, same pid, same start time, same run directory. */
export function isAlive(of: { pid: number; startTime: string; bootId: string }, runDir: string): boolean {
  if (of.bootId !== bootId()) return false;
  const facts = processFacts(of.pid);
  return facts !== null && !facts.zombie && facts.startTime === of.startTime && markOf(of.pid) === markFor(runDir);
}

/** Run directories of all marked processes with their pids. */
export function markedProcesses(): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { pid } of allProcesses()) {
    const run = markOf(pid);
    if (run !== null) found.set(run, [...(found.get(run) ?? []), pid]);
  }
  return found;
}

/** Names of the run directories below `runs` that processes are marked with. */
export function markedRuns(runs: string): string[] {
  const marks = markedProcesses();
  return [...marks.keys()]
    .map((mark) => path.basename(mark))
    .filter((name) => marks.has(markFor(path.join(runs, name))));
}

/** Signals a process only if it is still the one that was seen. */
export function signalExactly(seen: { pid: number; startTime: string }, signal: NodeJS.Signals): void {
  if (processFacts(seen.pid)?.startTime !== seen.startTime) return;
  try {
    process.kill(seen.pid, signal);
  } catch (err) {
    if (errno(err) !== 'ESRCH') throw err;
  }
}

/**
 * The processes of one run: those with its mark, in its sessions, or seen as descendants. `observe` remembers
 * descendants while they can be told by their parents, since a daemon's parent is soon process 1.
 */
export class RunTree {
  readonly #runDir: string;
  readonly #spare: ReadonlySet<number>;
  readonly #sessions = new Set<number>();
  /** pid → start time. */
  readonly #known = new Map<number, string>();

  /** `spare`: pids that are part of the run and stay, as the shim that asks. */
  constructor(runDir: string, spare: number[] = []) {
    this.#runDir = markFor(runDir);
    this.#spare = new Set(spare);
  }

  /** Adds the session led by `pid`. */
  addSession(pid: number): void {
    this.#sessions.add(pid);
  }

  observe(): ProcessFacts[] {
    const all = allProcesses();
    const members = new Map<number, ProcessFacts>();
    for (const p of all) {
      const known = this.#known.get(p.pid) === p.startTime;
      const ours = known || this.#sessions.has(p.session) || this.#sessions.has(p.group);
      if (!this.#spare.has(p.pid) && (ours || markOf(p.pid) === this.#runDir)) members.set(p.pid, p);
    }
    for (let grown = true; grown;) {
      grown = false;
      for (const p of all) {
        if (!members.has(p.pid) && !this.#spare.has(p.pid) && members.has(p.parent)) {
          members.set(p.pid, p);
          grown = true;
        }
      }
    }
    for (const p of members.values()) this.#known.set(p.pid, p.startTime);
    return [...members.values()];
  }

  /** Ends everything: repeats until two passes in a row find nothing. Gives the number that was left at the deadline. */
  async kill(deadlineMs = 15_000): Promise<number> {
    const end = performance.now() + deadlineMs;
    for (let clean = 0; ;) {
      const members = this.observe();
      clean = members.length === 0 ? clean + 1 : 0;
      if (clean === 2) return 0;
      if (performance.now() > end) return members.length;
      for (const p of members) signalExactly(p, 'SIGKILL');
      await sleep(10);
    }
  }
}

/** Ends every process of the run, also its shim. Gives the number that could not be ended. */
export const killTree = (runDir: string): Promise<number> => new RunTree(runDir).kill();
