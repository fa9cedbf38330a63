/**
 * Who is next: the more urgent first, the older first among equals. An entry that was taken up is finished first.
 *
 * Nobody starves: an entry counts as one step more urgent for every `AGING` later ones that were taken up before it.
 * So at most `AGING` x (steps from its priority to `urgent`) later entries go before it: 15 of a `low` one, 10 of a
 * `normal` one, 5 of a `high` one, none of an `urgent` one. Landings are counted and not hours, so the bound holds
 * however long they take. It is about entries that may go: while base is frozen every fix goes before what is frozen,
 * urgent or not. These count as well, so that what was frozen is the more urgent afterwards; so do those that go while
 * an entry waits for a repair.
 */
import { PRIORITIES, type Priority } from '../tasks.js';
import type { QueueEntry, QueueState } from './state.js';

export const AGING = 5;

/** What a person said of the entry stands over what its task says. */
export const priorityOf = ({ edit, request }: QueueEntry): Priority => edit?.priority ?? request.priority;

/** Steps from `urgent` that are left; 0 is the most urgent. */
function rank(entry: QueueEntry): number {
  return Math.max(0, PRIORITIES.indexOf(priorityOf(entry)) - Math.floor((entry.passed ?? 0) / AGING));
}

/** Negative when `a` goes before `b`. Arrival numbers are unique, so the order is total and stable. */
export function compareEntries(a: QueueEntry, b: QueueEntry): number {
  return rank(a) - rank(b) || a.seq - b.seq;
}

/** Called when `taken` is taken up: whoever came before it and still waits has been passed once more. */
export function countPassed(state: QueueState, taken: QueueEntry): void {
  if (!state.aging) return;
  for (const entry of state.entries) {
    if (entry.phase === 'queued' && entry.seq < taken.seq) entry.passed = (entry.passed ?? 0) + 1;
  }
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

/** Whether it waits for the repair of another one (repairs.ts). */
export const heldByRepair = (entry: QueueEntry): boolean => entry.waitsFor != null;

/** The queued entries that neither a drain nor a repair holds, the next to take up first. */
export function inLine(state: QueueState): QueueEntry[] {
  return state.entries
    .filter((e) => e.phase === 'queued' && !heldByDrain(state, e) && !heldByRepair(e))
    .sort(compareEntries);
}
