/** Ending processes that may not be our children. A pid alone is never trusted: it is reused. */
import { setTimeout as sleep } from 'node:timers/promises';
import { bootId, processFacts } from '../activities/agents/processes.js';

/** A process, by its id and the moment it started: boot id and clock ticks since then. */
export interface ProcessRef {
  pid: number;
  startTime: string;
}

/** The process that has this id now; null when there is none or only a zombie. */
export function processRef(pid: number): ProcessRef | null {
  const facts = processFacts(pid);
  return facts === null || facts.zombie ? null : { pid, startTime: `${bootId()}/${facts.startTime}` };
}

/** True while exactly this process (not another one with its id) runs. */
export function isAlive(ref: ProcessRef): boolean {
  return processRef(ref.pid)?.startTime === ref.startTime;
}

/** Sends a signal to exactly this process; false when it is gone. */
function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  if (!isAlive(ref)) return false;
  try {
    return process.kill(ref.pid, signal);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw err;
  }
}

/** Signals with the patience (ms) to wait after each. */
export type EndSteps = readonly (readonly [NodeJS.Signals, number])[];

/** Ends a process: each signal in turn. Returns when it is gone; false if it never went. */
export async function endProcess(ref: ProcessRef, steps: EndSteps): Promise<boolean> {
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
