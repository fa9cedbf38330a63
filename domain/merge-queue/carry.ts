/**
 * The state on its way from one run of the workflow to the next. What waits is most of it, and has nothing to tell but
 * its request: a field that is as it was at the arrival stays behind, so that a thousand entries are far from what a
 * payload may hold. Paths become short ids, and of text that the rows have only the newest goes along.
 */
import { withoutText } from './draft.js';
import { pathId } from './path-ids.js';
import { emptyQueue, FRESH, type QueueEntry, type QueueState, type SettledEntry } from './state.js';

type CarriedEntry = Pick<QueueEntry, 'request' | 'seq' | 'since'> & Partial<QueueEntry>;
export type CarriedQueue = Omit<QueueState, 'entries'> & { entries: CarriedEntry[] };

export function carry(state: QueueState): CarriedQueue {
  // A new run writes the picture anew.
  return {
    ...{ ...state, mirrored: '', entries: state.entries.map(lean), settled: shortened(state.settled) },
    repairs: state.repairs.map((repair) => ({ ...repair, paths: repair.paths.map(pathId) })),
  };
}

/** Ids that are carried of what an entry waits for; those that it shares with the repair come first. */
const IDS_OF_WAITING = 6;
/** Characters of recorded outcomes. */
const SETTLED_ROOM = 64 * 1024;

/** What is not recorded yet is carried whole: there are few, since nothing is taken up before it is. */
function shortened(settled: readonly SettledEntry[]): SettledEntry[] {
  let room = SETTLED_ROOM;
  return settled
    .toReversed()
    .map((e) => {
      if (!e.recorded) return e;
      room -= JSON.stringify(e.outcome).length;
      return room >= 0 ? e : { ...e, outcome: withoutText(e.outcome) };
    })
    .reverse();
}

/** Also of what an earlier version carried, which may lack what came since. */
export function unpack(repo: string, base: string, carried: CarriedQueue | null): QueueState {
  const entries = (carried?.entries ?? []).map((entry) => ({ ...FRESH, ...entry }));
  return { ...emptyQueue(repo, base), ...carried, entries };
}

function lean(entry: QueueEntry): CarriedEntry {
  const { request, seq, since, ...rest } = entry;
  if (rest.waitsFor != null) {
    rest.waitsFor = { ...rest.waitsFor, paths: rest.waitsFor.paths.slice(0, IDS_OF_WAITING).map(pathId) };
  }
  const changed = Object.entries(rest).filter(([name, value]) => value !== FRESH[name as keyof typeof FRESH]);
  return { request, seq, since, ...(Object.fromEntries(changed) as Partial<QueueEntry>) };
}
