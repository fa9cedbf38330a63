/** The working copy of one reducer step, and the moves that several events share. */
import type { QueueCommand } from './commands.js';
import type { Call, CallKind, QueueEntry, QueueState, QueueTimes, SettledEntry } from './state.js';
import type { EnqueueRequest, MergeOutcome, QueueBlock } from './types.js';

export interface Draft {
  s: QueueState;
  out: QueueCommand[];
  now: number;
  times: QueueTimes;
}

const SETTLED_KEPT = 200;
const DURATIONS_KEPT = 20;
/** Conflicts and red checks carry up to 32 KiB of text, and paths; only the newest keep them, the rows have the rest. */
const SETTLED_WITH_TEXT = 5;
/** Blocks that are tried again on a timer; the others wait for a person (any change of a gate tries them too). */
const clearsItself = (block: QueueBlock): boolean => block.clearedBy === null || block.code === 'foreign-lock';

export function openDraft(state: QueueState, now: number, times: QueueTimes): Draft {
  const s: QueueState = {
    ...state,
    entries: state.entries.map((e) => ({ ...e })),
    settled: state.settled.map((e) => ({ ...e })),
    calls: state.calls.map((c) => ({ ...c })),
    tombstones: [...state.tombstones],
    seenGates: [...state.seenGates],
    verdicts: [...state.verdicts],
    durations: [...state.durations],
    repairs: [...state.repairs],
    tries: { ...state.tries },
  };
  return { s, out: [], now, times };
}

export function due(d: Draft, at: number | null): boolean {
  return at === null || at <= d.now;
}

/** When the n-th try (n from 1) may come: now + min(base * 2^n, max). */
export function backoff(d: Draft, n: number): number {
  return d.now + Math.min(d.times.backoffBase * 2 ** Math.min(n, 30), d.times.backoffMax);
}

export function calling(d: Draft, kind: CallKind): boolean {
  return d.s.calls.some((c) => c.kind === kind);
}

/** Registers a call and gives its number. */
export function openCall(d: Draft, kind: CallKind, entry: string | null = null, settled: string[] = []): number {
  const id = d.s.nextCall++;
  const patience = { prepare: d.times.hostStale, fence: d.times.hostStale, publish: d.times.mergeLease };
  const probeAt = kind in patience ? d.now + patience[kind as keyof typeof patience] : null;
  d.s.calls.push({ id, kind, entry, probeAt, settled });
  return id;
}

/** Takes the call off the list; null for one that is not wanted any more: its answer is ignored. */
export function closeCall(d: Draft, id: number, ...kinds: CallKind[]): Call | null {
  const call = d.s.calls.find((c) => c.id === id && (kinds.length === 0 || kinds.includes(c.kind)));
  if (!call) return null;
  d.s.calls = d.s.calls.filter((c) => c !== call);
  return call;
}

/**
 * Gives up on calls: they are cancelled, and whatever they still answer is ignored. But who asks for a verdict is soon
 * waited for: that call stays, as nobody's, until its answer says which verdict is to be let go.
 */
export function dropCalls(d: Draft, which: (call: Call) => boolean): void {
  const stays = (call: Call): boolean => d.s.letGo && asksForVerdict(call);
  for (const call of d.s.calls.filter(which)) {
    if (stays(call)) call.entry = null;
    else d.out.push({ kind: 'cancel', call: call.id });
  }
  d.s.calls = d.s.calls.filter((c) => !which(c) || stays(c));
}

export const asksForVerdict = ({ kind }: Call): boolean => kind === 'check' || kind === 'checkBase';

/** Says that no entry waits for the verdict of this key. */
export function letGo(d: Draft, key: string): void {
  if (!d.s.letGo || d.s.entries.some((e) => e.awaited === key)) return;
  d.out.push({ kind: 'letGo', call: openCall(d, 'letGo'), key });
}

/** While something is being let go, nobody asks: the two would overtake each other. */
export const lettingGo = (d: Draft): boolean =>
  d.s.calls.some((c) => c.kind === 'letGo' || (asksForVerdict(c) && c.entry === null));

/** Nobody waits for it, and it is not to be waited for: it is made again when there is time. */
export function dropPrediction(d: Draft): void {
  if (!calling(d, 'predict')) return;
  dropCalls(d, (c) => c.kind === 'predict');
  d.s.predictWanted = true;
}

/** The work of the task has landed or left, or the task is over: nobody waits for its repair. */
export function endRepair(d: Draft, task: string): void {
  d.s.repairs = d.s.repairs.filter((repair) => repair.task !== task);
}

/** Base is there now. */
export function seeBase(d: Draft, oid: string): void {
  if (d.s.baseSeen !== oid) d.s.predictWanted = true;
  d.s.baseSeen = oid;
}

export function findEntry(d: Draft, entry: string | null): QueueEntry | null {
  return d.s.entries.find((e) => e.request.entry === entry) ?? null;
}

/** Back to the start of a landing: plan and verdict are forgotten, the place is kept. */
export function resetEntry(entry: QueueEntry, phase: 'queued' | 'preparing'): void {
  Object.assign(entry, { phase, plan: null, verdict: null, failed: null, awaited: null });
}

/** Back in line at its place: it is as if it had never been taken up. */
export function putBack(entry: QueueEntry): void {
  resetEntry(entry, 'queued');
  // What passed until it is taken up again is no time that landings take.
  Object.assign(entry, { startedAt: null, held: false, retryAt: null });
}

export function withoutText(outcome: MergeOutcome): MergeOutcome {
  if (outcome.kind === 'conflict') return { ...outcome, conflict: { paths: [], hunks: '' } };
  if (outcome.kind === 'red' && outcome.failed) return { ...outcome, failed: { ...outcome.failed, tail: '' } };
  return outcome;
}

export function addSettled(d: Draft, request: EnqueueRequest, outcome: MergeOutcome): void {
  const { repo, base, task, workItem, generation, head, try: nth, entry, workflowId } = request;
  endRepair(d, task);
  const identity = { repo, base, task, workItem, generation, head, try: nth, entry };
  const all: SettledEntry[] = [...d.s.settled, { identity, workflowId, outcome, recorded: false }];
  const keep = all.slice(-SETTLED_KEPT);
  const unsaved = all.slice(0, -SETTLED_KEPT).filter((e) => !e.recorded);
  d.s.settled = [...unsaved, ...keep].map((e, i, list) =>
    e.recorded && i < list.length - SETTLED_WITH_TEXT ? { ...e, outcome: withoutText(e.outcome) } : e,
  );
}

/** The entry leaves; it is recorded first and then its task is told. */
export function settle(d: Draft, entry: QueueEntry, outcome: MergeOutcome): void {
  d.s.entries = d.s.entries.filter((e) => e !== entry);
  dropCalls(d, (c) => c.entry === entry.request.entry);
  addSettled(d, entry.request, outcome);
  d.s.predictWanted = true;
  if (outcome.kind === 'landed') d.s.baseSeen = outcome.landing.commit;
  // One that was taken out or held tells nothing about how long they take.
  if (entry.startedAt === null || entry.held === true || outcome.kind === 'withdrawn') return;
  d.s.durations = [...d.s.durations, d.now - entry.startedAt].slice(-DURATIONS_KEPT);
}

/** Stops the queue. An entry that never began to publish goes back in line, at its place. */
export function raiseBlock(d: Draft, entry: QueueEntry, block: QueueBlock): void {
  const again = d.s.block?.code === block.code;
  d.s.tries.block = again ? d.s.tries.block + 1 : 1;
  d.s.block = again && d.s.block ? { ...block, since: d.s.block.since } : block;
  d.s.probing = false;
  d.s.blockRetryAt = clearsItself(block) ? backoff(d, d.s.tries.block) : null;
  if (block.code === 'base-rewound') d.s.acceptTip = null;
  entry.retryAt = null;
  if (entry.began) entry.needsFence = true;
  else putBack(entry);
}

export function clearBlock(d: Draft): void {
  d.s.block = null;
  d.s.probing = false;
  d.s.blockRetryAt = null;
  d.s.tries.block = 0;
}

/**
 * Stops the queue because an outcome cannot be stored: nothing is taken up before it is (see `work`), so this only says
 * so. It is tried again on a timer, and at once when a person says resume.
 */
export function blockOnRecords(d: Draft, reason: string): void {
  const since = d.s.recordBlock?.since ?? new Date(d.now).toISOString();
  const clearedBy = `signalbox resume ${d.s.repo}`;
  d.s.recordBlock = { code: 'record-refused', reason, clearedBy, baseOid: null, since };
}

/** The remote answered as it should: what stood in the way of the git steps is gone. A red base is not. */
export function remoteWorks(d: Draft): void {
  if (d.s.block && d.s.block.code !== 'base-red') clearBlock(d);
}
