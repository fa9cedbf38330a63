/** Identity and ending of processes that may not be our children. A pid alone is never trusted: it is reused. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process, by its id and the moment it started (boot id and clock ticks since then on Linux, a date elsewhere). */
export interface ProcessRef {
  pid: number;
  startTime: string;
}

/** The process that has this id now; null when there is none or only a zombie. */
export function processRef(pid: number): ProcessRef | null {
  const startTime = process.platform === 'linux' ? startTicks(pid) : startDate(pid);
  return startTime === null ? null : { pid, startTime };
}

/** True while exactly this process (not another one with its id) runs. */
export function isAlive(ref: ProcessRef): boolean {
  return processRef(ref.pid)?.startTime === ref.startTime;
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  if (!isAlive(ref)) return false;
  try {
    return process.kill(ref.pid, signal);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw err;
  }
}

/** Ends a process: each signal in turn with its own patience (ms). Returns when it is gone; false if it never went. */
export async function endProcess(ref: ProcessRef, steps: readonly [NodeJS.Signals, number][]): Promise<boolean> {
  for (const [signal, patience] of steps) {
    if (!signalProcess(ref, signal)) return true;
    const deadline = Date.now() + patience;
    while (Date.now() < deadline) {
      if (!isAlive(ref)) return true;
      await sleep(20);
    }
  }
  return !isAlive(ref);
}

let bootId: string | undefined;

/** Field 22 of /proc/PID/stat. The name in field 2 may hold anything, so fields are counted after its last bracket. */
function startTicks(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // no such process
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields[19];
  if (fields[0] === 'Z' || fields[0] === 'X' || ticks === undefined) return null;
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${bootId}/${ticks}`;
}

function startDate(pid: number): string | null {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null; // ps exits 1 when there is no such process
  }
}
