/**
 * Repairs in order: of entries that conflict in the same paths one is repaired at a time, since the second would meet
 * the first again when it comes back.
 *
 * An entry that conflicts is sent back to its task, and from then on that is a repair, until the task has landed, left
 * the queue otherwise or ended, or until its time is over. An entry that conflicts in a path of such a repair keeps its
 * place and waits, if that task is away or is in the queue and waits for nobody. It is prepared again when the repair is
 * over, no longer touches its paths, or has taken too long; from the end of its own patience on it waits for none.
 *
 * So nobody waits for ever, and never in a circle: the last of a circle to begin would wait for one that waits already.
 */
import { endRepair, putBack, type Draft } from './draft.js';
import { heldByRepair } from './order.js';
import { overlap, sharedPaths } from './path-ids.js';
import type { QueueEntry, Repair } from './state.js';

/** What is not remembered is waited for by none. */
const REPAIRS_KEPT = 50;
const PATHS_KEPT = 200;
/** Of a queue that was started before there was such a setting. */
const DEFAULT_WAIT_MS = 3_600_000;

/** The entry goes to repair: called when it has left. */
export function beginRepair(d: Draft, task: string, paths: readonly string[]): void {
  const until = d.now + (d.times.repairWait ?? DEFAULT_WAIT_MS);
  const repair: Repair = { task, paths: paths.slice(0, PATHS_KEPT), until };
  endRepair(d, task);
  d.s.repairs = [...d.s.repairs, repair].slice(-REPAIRS_KEPT);
}

/** Whether the entry waits for a repair of the same paths instead of being sent to one. */
export function waitForRepair(d: Draft, entry: QueueEntry, paths: readonly string[]): boolean {
  const patience = entry.patience ?? d.now + (d.times.repairWait ?? DEFAULT_WAIT_MS);
  const repair = d.s.repairs.find((other) => other.task !== entry.request.task && mayBeWaitedFor(d, other, paths));
  if (repair === undefined || patience <= d.now) return false;
  putBack(entry);
  const shared = sharedPaths(paths, repair.paths);
  entry.patience = patience;
  // What they share comes first, so that a list that is cut still tells why it waits. Of what is cut nothing is known:
  // at worst the entry goes on too soon, and the next plan, which knows all of its paths, makes it wait again.
  const known = [...new Set([...shared, ...paths])].slice(0, PATHS_KEPT);
  entry.waitsFor = { task: repair.task, paths: known, until: Math.min(patience, repair.until) };
  entry.detail = `waits for the repair of ${repair.task}, which touches ${some(shared)} as well`;
  return true;
}

function mayBeWaitedFor(d: Draft, repair: Repair, paths: readonly string[]): boolean {
  if (repair.until <= d.now || !overlap(repair.paths, paths)) return false;
  const back = d.s.entries.find((e) => e.request.task === repair.task);
  return back === undefined || !heldByRepair(back);
}

/** Whoever waits for what is over, or has waited long enough, goes on. */
export function releaseWaiting(d: Draft): void {
  d.s.repairs = d.s.repairs.filter((repair) => repair.until > d.now);
  for (const entry of d.s.entries) {
    if (entry.waitsFor == null) continue;
    const { task, paths } = entry.waitsFor;
    const repair = d.s.repairs.find((other) => other.task === task && overlap(other.paths, paths));
    if (repair !== undefined && (entry.patience ?? 0) > d.now) {
      entry.waitsFor = { task, paths, until: Math.min(repair.until, entry.patience ?? repair.until) };
    } else {
      Object.assign(entry, { waitsFor: null, detail: null });
    }
  }
}

const SHOWN = 3;
const WIDTH = 40;

function some(paths: readonly string[]): string {
  const shown = paths.slice(0, SHOWN).map(endOf).join(', ');
  return paths.length <= SHOWN ? shown : `${shown} and ${paths.length - SHOWN} more paths`;
}

/** By characters, not by halves of them. */
function endOf(path: string): string {
  const characters = Array.from(path);
  return characters.length <= WIDTH ? path : `…${characters.slice(1 - WIDTH).join('')}`;
}
