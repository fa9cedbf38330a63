/** Who is next: the more urgent first, the older first among equals. An entry that was taken up is finished first. */
import { PRIORITIES } from '../tasks.js';
import type { QueueEntry, QueueState } from './state.js';

/** Negative when `a` goes before `b`. Arrival numbers are unique, so the order is total and stable. */
export function compareEntries(a: QueueEntry, b: QueueEntry): number {
  const rank = (e: QueueEntry): number => PRIORITIES.indexOf(e.request.priority);
  return rank(a) - rank(b) || a.seq - b.seq;
}

/** The entry that is being worked on; serial, so there is one at most. */
export function activeEntry(state: QueueState): QueueEntry | null {
  return state.entries.find((e) => e.phase !== 'queued') ?? null;
}

/** All entries, first come first. */
export function inOrder(state: QueueState): QueueEntry[] {
  return [...state.entries].sort(
    (a, b) => Number(a.phase === 'queued') - Number(b.phase === 'queued') || compareEntries(a, b),
  );
}

/** Whether a drain holds the entry back: it came after the drain began. */
export function heldByDrain(state: QueueState, entry: QueueEntry): boolean {
  return state.drainBefore !== null && entry.seq >= state.drainBefore;
}

/** The queued entry to take up next; null when none may. */
export function nextEntry(state: QueueState): QueueEntry | null {
  const queued = state.entries.filter((e) => e.phase === 'queued' && !heldByDrain(state, e));
  return queued.sort(compareEntries)[0] ?? null;
}
