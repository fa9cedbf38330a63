/**
 * The merge queue of one base branch: it holds the order and runs the landings, one at a time.
 *
 * The queue is `running`, `paused`, `draining` (what is in lands, what comes waits), `frozen` or `blocked` (something
 * about the remote must change first; see docs/landing.md). Gates are rows of the store, read again at each hint.
 *
 * An entry passes
 *
 *     queued -> preparing -> checking -> publishing -> settled
 *
 *   preparing   a plan is made: which commit would land, on which base, with which tree
 *   checking    the verdict of that tree is asked for. A red is compared with base: base green -> settled red,
 *               base red -> the queue blocks and the entry keeps its place
 *   publishing  one leased push; from here on (`began`) the entry leaves un-landed only after fence + resolve
 *   back to preparing when base or the fence moved (after a fence), back to queued when the queue blocks, or to wait
 *   for the repair of another entry that touches the same paths (repairs.ts)
 *
 * and settles as landed, contained, conflict, red, refused or withdrawn; that is recorded first, told after.
 *
 * Invariants: at most one entry is past `queued`, so one publish at a time; an entry is in `entries` or settled, never
 * both, never twice; no publish while paused, frozen or blocked; an answer counts only for a call that is listed, so
 * late, repeated and older answers change nothing; nothing is taken up before the last outcome is recorded.
 *
 * Checking several entries ahead later means more than one entry past `queued`: `activeEntry` and `work` change, the
 * rest does not count on there being one.
 */
import { assertNever } from '../errors.js';
import { advance, deadline, hostAnswered, nextOpen } from './advance.js';
import { checkReplied, checkSettled, failed, fenced, prepared, published, recorded } from './answers.js';
import type { QueueCommand } from './commands.js';
import {
  addSettled,
  clearBlock,
  closeCall,
  dropCalls,
  dropPrediction,
  endRepair,
  findEntry,
  letGo,
  openDraft,
  settle,
  type Draft,
} from './draft.js';
import type { QueueEvent } from './events.js';
import { FRESH, type QueueEntry, type QueueState, type QueueTimes } from './state.js';
import type { EnqueueRequest, EntryChange, EntryEdit, Gate } from './types.js';
import { isClosed, landingGates } from './view.js';

const TOMBSTONES_KEPT = 200;
const GATE_IDS_KEPT = 50;

/** One step. `now` in epoch ms; feed a `tick` at `deadline` (null = none needed). Changes nothing it was given. */
export function reduceQueue(
  state: QueueState,
  event: QueueEvent,
  now: number,
  times: QueueTimes,
): { state: QueueState; commands: QueueCommand[]; deadline: number | null } {
  const d = openDraft(state, now, times);
  hear(d, event);
  letGoOf(state, d, event);
  advance(d);
  return { state: d.s, commands: d.out, deadline: deadline(d) };
}

/** What an entry waited for, and none does now, without its verdict having come. */
function letGoOf(before: QueueState, d: Draft, event: QueueEvent): void {
  if (event.kind === 'checkSettled' || event.kind === 'checked' || event.kind === 'baseChecked') return;
  for (const key of new Set(before.entries.map((e) => e.awaited))) if (key !== null) letGo(d, key);
}

function hear(d: Draft, event: QueueEvent): void {
  switch (event.kind) {
    case 'restored':
      restored(d);
      return;
    case 'tick':
      return;
    case 'hold':
      d.s.hold = true;
      dropPrediction(d);
      return;
    case 'enqueue':
      enqueued(d, event.request, event.edit);
      return;
    case 'withdraw':
      withdrawn(d, event.entry, event.reason);
      return;
    case 'entryChanged':
      entryChanged(d, event.entry, event.change);
      return;
    case 'entryEdited':
      entryEdited(d, event.entry, event.edit);
      return;
    case 'taskEnded':
      endRepair(d, event.task);
      return;
    case 'gateChanged':
      gateChanged(d, event.id, event.acceptTip);
      return;
    case 'checkSettled':
      checkSettled(d, event.key, event.verdict);
      return;
    case 'hostPicked':
      if (closeCall(d, event.call, 'pickHost')) hostAnswered(d, event.host);
      return;
    case 'prepared':
      answered(d, event.call, (e) => prepared(d, e, event.result));
      return;
    case 'checked':
    case 'baseChecked':
      if (isNobodys(d, event.call) && event.reply.kind === 'pending') letGo(d, event.reply.key);
      answered(d, event.call, (e) => checkReplied(d, e, event.reply));
      return;
    case 'letGone':
      closeCall(d, event.call, 'letGo');
      return;
    case 'published':
      answered(d, event.call, (e) => published(d, e, event.result));
      return;
    case 'fenced':
      answered(d, event.call, (e) => fenced(d, e, event.result));
      return;
    case 'predicted':
      if (closeCall(d, event.call, 'predict')) d.s.baseSeen = event.baseOid;
      return;
    case 'gatesRead':
      if (closeCall(d, event.call, 'readGates')) gatesRead(d, event.gates);
      return;
    case 'recorded':
      recorded(d, event.call);
      return;
    case 'failed':
      failed(d, event.call, event.message);
      return;
    default:
      return assertNever(event);
  }
}

const isNobodys = (d: Draft, id: number): boolean => d.s.calls.some((c) => c.id === id && c.entry === null);

/** Hands the answer of a call to its entry; one that came too late goes nowhere. */
function answered(d: Draft, id: number, then: (entry: QueueEntry) => void): void {
  const call = closeCall(d, id, 'prepare', 'check', 'checkBase', 'publish', 'fence');
  if (!call) return;
  if (call.probeAt !== null) d.s.hostSeenAt = d.now;
  const entry = findEntry(d, call.entry);
  if (entry) then(entry);
}

function restored(d: Draft): void {
  for (const call of d.s.calls) {
    const entry = findEntry(d, call.entry);
    if (entry && call.kind === 'publish') entry.needsFence = true;
  }
  d.s.calls = [];
  d.s.hold = false;
  d.s.mirrored = '';
  d.s.gatesWanted = true;
}

function enqueued(d: Draft, request: EnqueueRequest, edit: EntryEdit | undefined): void {
  const { s } = d;
  if (findEntry(d, request.entry)) {
    if (edit) entryEdited(d, request.entry, edit);
    return;
  }
  const before = s.settled.find((e) => e.identity.entry === request.entry);
  if (before) {
    // One that is not recorded yet is told when it is.
    const { outcome } = before;
    if (before.recorded) d.out.push({ kind: 'tell', workflowId: request.workflowId, entry: request.entry, outcome });
    return;
  }
  const tombstone = s.tombstones.find((t) => t.entry === request.entry);
  if (tombstone) {
    addSettled(d, request, { kind: 'withdrawn', reason: tombstone.reason });
    return;
  }
  const other = s.entries.find((e) => e.request.task === request.task && e.withdraw === null);
  if (other && isNewer(other.request, request)) {
    addSettled(d, request, { kind: 'withdrawn', reason: 'a newer head of the task is in the queue' });
    return;
  }
  const entry: QueueEntry = { ...FRESH, request, ...(edit && { edit }), seq: s.nextSeq++, since: d.now };
  s.entries.push(entry);
  s.predictWanted = true;
  if (other) withdrawn(d, other.request.entry, 'a newer head of the task was enqueued');
  mayMendBase(d, entry);
}

/** What is next may be what mends a red base. */
function mayMendBase({ s }: Draft, entry: QueueEntry): void {
  if (s.block?.code === 'base-red' && nextOpen(s) === entry) s.probing = true;
}

/** A plan that is made already keeps its message; the place changes at once, but nothing that was taken up gives way. */
function entryChanged(d: Draft, id: string, { version, title, priority }: EntryChange): void {
  const entry = findEntry(d, id);
  if (!entry || version <= entry.changed) return;
  entry.changed = version;
  if (entry.request.priority !== priority) d.s.predictWanted = true;
  entry.request = { ...entry.request, title, priority };
  mayMendBase(d, entry);
}

/** A person's word about one entry: its place changes at once, and a fix may go while base is frozen. */
function entryEdited(d: Draft, id: string, edit: EntryEdit): void {
  const entry = findEntry(d, id);
  if (!entry || edit.version <= (entry.edit?.version ?? 0)) return;
  if (entry.edit?.priority !== edit.priority) d.s.predictWanted = true;
  entry.edit = edit;
  // One that was held at the push looks again.
  if (edit.fix && entry.phase === 'checking' && entry.awaited === null) entry.retryAt = null;
  mayMendBase(d, entry);
}

function isNewer(a: EnqueueRequest, b: EnqueueRequest): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.try > b.try);
}

function withdrawn(d: Draft, id: string, reason: string): void {
  const entry = findEntry(d, id);
  if (!entry) {
    if (d.s.settled.some((e) => e.identity.entry === id)) return;
    d.s.tombstones = [...d.s.tombstones.filter((t) => t.entry !== id), { entry: id, reason }].slice(-TOMBSTONES_KEPT);
  } else if (!entry.began) {
    settle(d, entry, { kind: 'withdrawn', reason });
  } else {
    entry.withdraw ??= reason;
    entry.needsFence = true;
    dropCalls(d, (c) => c.entry === id && c.kind === 'publish');
  }
}

function gateChanged(d: Draft, id: string, acceptTip: string | null): void {
  const { s } = d;
  if (s.seenGates.includes(id)) return;
  s.seenGates = [...s.seenGates, id].slice(-GATE_IDS_KEPT);
  s.gatesWanted = true;
  s.gatesRetryAt = null;
  if (s.recordBlock !== null) s.recordRetryAt = null;
  // Both are about what the remote forgot; nothing else is a person's to accept.
  if (acceptTip === null || (s.block?.code !== 'base-rewound' && s.block?.code !== 'tip-missing')) return;
  if (s.block.code === 'tip-missing') for (const entry of s.entries) entry.restoreTip = entry.began;
  clearBlock(d);
  s.acceptTip = acceptTip;
  for (const entry of s.entries.filter((e) => e.rewound)) {
    const reason = 'it landed and was then removed from base by somebody; that rewind was accepted';
    settle(d, entry, entry.withdraw === null ? { kind: 'refused', reason } : { kind: 'withdrawn', reason });
  }
}

function gatesRead(d: Draft, gates: Gate[]): void {
  const { s } = d;
  s.gates = gates;
  s.tries.gates = 0;
  s.fault = null;
  if (landingGates(s).some((g) => g.kind === 'drain')) s.drainBefore ??= s.nextSeq;
  else s.drainBefore = null;
  if (s.block && !isClosed(s) && s.entries.length > 0) s.probing = true;
}
