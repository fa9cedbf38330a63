/**
 * Children of an `up` that was killed. Every child carries a mark in its environment that names the data directory and
 * its part, so none is missed, also not one that was started a moment before the kill. Agents carry the mark of their
 * run instead and are left alone: the next worker adopts them.
 */
import { readFileSync } from 'node:fs';
import { allProcesses, markOf } from '../../activities/agents/processes.js';
import { endProcess, processRef, type EndSteps, type ProcessRef } from '../processes.js';

export const STACK_MARK = 'SIGNALBOX_STACK';

export type MarkedPart = 'worker' | 'api' | 'temporal';
const ORDER: readonly MarkedPart[] = ['worker', 'api', 'temporal'];

/** The value of the mark. @param dataDir its real path */
export const stackMark = (part: MarkedPart, dataDir: string): string => `${part}:${dataDir}`;

/** Ends what an earlier `up` left running, in order: whoever uses a server before the server. */
export async function endLeftovers(dataDir: string, steps: EndSteps, log: (line: string) => void): Promise<void> {
  const found = findLeftovers(dataDir);
  for (const part of ORDER) {
    for (const ref of found.get(part) ?? []) {
      log(`ending the ${part} that was left running (pid ${ref.pid})`);
      await endProcess(ref, steps);
    }
  }
}

function findLeftovers(dataDir: string): Map<MarkedPart, ProcessRef[]> {
  const found = new Map<MarkedPart, ProcessRef[]>();
  for (const { pid, session } of allProcesses()) {
    // Programs that a child itself started (git, say) end with their work.
    if (session !== pid || markOf(pid) !== null) continue;
    const mark = environmentOf(pid).get(STACK_MARK);
    const part = ORDER.find((name) => mark === stackMark(name, dataDir));
    const ref = part === undefined ? null : processRef(pid);
    if (part !== undefined && ref !== null) found.set(part, [...(found.get(part) ?? []), ref]);
  }
  return found;
}

function environmentOf(pid: number): Map<string, string> {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return new Map(); // gone since, or another user's: not ours to end
  }
  const pairs = text.split('\0').map((entry) => entry.split(/=(.*)/s));
  return new Map(pairs.map(([name, value]) => [name ?? '', value ?? '']));
}
