/**
 * The state on its way from one run of the workflow to the next. What waits is most of it, and has nothing to tell but
 * its request: a field that is as it was at the arrival stays behind, so that a thousand entries are far from what a
 * payload may hold.
 */
import { emptyQueue, FRESH, type QueueEntry, type QueueState } from './state.js';

type CarriedEntry = Pick<QueueEntry, 'request' | 'seq' | 'since'> & Partial<QueueEntry>;
export type CarriedQueue = Omit<QueueState, 'entries'> & { entries: CarriedEntry[] };

export function carry(state: QueueState): CarriedQueue {
  // A new run writes the picture anew.
  return { ...state, mirrored: '', entries: state.entries.map(lean) };
}

/** Also of what an earlier version carried, which may lack what came since. */
export function unpack(repo: string, base: string, carried: CarriedQueue | null): QueueState {
  const entries = (carried?.entries ?? []).map((entry) => ({ ...FRESH, ...entry }));
  return { ...emptyQueue(repo, base), ...carried, entries };
}

function lean(entry: QueueEntry): CarriedEntry {
  const { request, seq, since, ...rest } = entry;
  const changed = Object.entries(rest).filter(([name, value]) => value !== FRESH[name as keyof typeof FRESH]);
  return { request, seq, since, ...(Object.fromEntries(changed) as Partial<QueueEntry>) };
}
