/** What the queue does next, given where it stands: the second half of every reducer step. */
import { backoff, calling, dropCalls, dropPrediction, due, lettingGo, openCall, putBack, type Draft } from './draft.js';
import { activeEntry, countPassed, inLine } from './order.js';
import { releaseWaiting } from './repairs.js';
import type { QueueEntry, QueueState } from './state.js';
import { isClosed, isClosedTo, mirrorKey, queueView } from './view.js';

export function advance(d: Draft): void {
  releaseWaiting(d);
  readGates(d);
  probeHosts(d);
  tryBlockAgain(d);
  makeWayForFix(d);
  work(d);
  noteHeld(d);
  record(d);
  predict(d);
}

/** The time that the entry at the head takes is no measure any more. */
function noteHeld({ s }: Draft): void {
  const active = activeEntry(s);
  const blocked = s.block !== null || s.recordBlock !== null || s.hostRetryAt !== null;
  if (active && (blocked || isClosedTo(s, active))) active.held = true;
}

/** The earliest moment at which a tick would change something; null = nothing is timed. */
export function deadline(d: Draft): number | null {
  const { s } = d;
  const waitsOnBlock = s.block !== null && !s.probing && s.entries.length > 0;
  const times = [
    s.gatesWanted ? s.gatesRetryAt : null,
    s.recordRetryAt,
    s.entries.length > 0 ? s.hostRetryAt : null,
    waitsOnBlock ? s.blockRetryAt : null,
    activeEntry(s)?.retryAt ?? null,
    ...s.calls.map((c) => c.probeAt),
    ...s.entries.map((e) => e.waitsFor?.until ?? null),
  ].filter((t) => t !== null && t > d.now);
  return times.length === 0 ? null : Math.min(...(times as number[]));
}

function readGates(d: Draft): void {
  if (!d.s.gatesWanted || d.s.hold || calling(d, 'readGates') || !due(d, d.s.gatesRetryAt)) return;
  d.s.gatesWanted = false;
  d.s.gatesRetryAt = null;
  d.out.push({ kind: 'readGates', call: openCall(d, 'readGates') });
}

/** A git call that is not answered for long: ask whether its host still lives. */
function probeHosts(d: Draft): void {
  for (const call of d.s.calls) {
    if (call.probeAt === null || call.probeAt > d.now) continue;
    call.probeAt = d.now + (call.kind === 'publish' ? d.times.mergeLease : d.times.hostStale);
    pickHost(d);
  }
}

function pickHost(d: Draft): void {
  if (calling(d, 'pickHost')) return;
  d.s.hostRetryAt = null;
  d.out.push({ kind: 'pickHost', call: openCall(d, 'pickHost'), prefer: d.s.host });
}

function tryBlockAgain(d: Draft): void {
  const { s } = d;
  if (s.block === null || s.probing || s.blockRetryAt === null || !due(d, s.blockRetryAt)) return;
  if (s.entries.length > 0 && !isClosed(s)) s.probing = true;
}

/** The entry to take up next; none while the gates are closed to all that may go. */
export const nextOpen = (s: QueueState): QueueEntry | null => inLine(s).find((entry) => !isClosedTo(s, entry)) ?? null;

/**
 * One that a freeze holds stands in the way of the fix: it goes back in line at its place. One whose push began is
 * fenced first, as always.
 */
function makeWayForFix(d: Draft): void {
  const { s } = d;
  const active = activeEntry(s);
  if (!active || !isClosedTo(s, active) || nextOpen(s) === null) return;
  const { entry } = active.request;
  if (!active.began) {
    dropCalls(d, (c) => c.entry === entry);
    putBack(active);
  } else if (!active.needsFence && !s.calls.some((c) => c.entry === entry)) {
    active.needsFence = true;
    active.retryAt = null;
  }
}

function work(d: Draft): void {
  const { s } = d;
  const open = s.gates !== null && !isClosed(s) && !s.hold && (s.block === null || s.probing);
  // The rows of what landed come first: prepare compares base with them.
  const mayWork = open && s.settled.every((e) => e.recorded);
  let entry = activeEntry(s);
  if (!entry && mayWork) entry = takeUp(d);
  if (!entry || s.calls.some((c) => c.entry === entry.request.entry) || !due(d, entry.retryAt)) return;
  if (entry.needsFence) {
    if (s.recordBlock !== null || (s.block !== null && !s.probing)) return;
    if (entry.restoreTip) prepare(d, entry);
    else fence(d, entry);
  } else if (mayWork && !isClosedTo(s, entry)) {
    step(d, entry);
  }
}

function takeUp(d: Draft): QueueEntry | null {
  const entry = nextOpen(d.s);
  if (entry) {
    entry.phase = 'preparing';
    entry.startedAt ??= d.now;
    countPassed(d.s, entry);
  }
  return entry;
}

/** The next step of the landing of the entry at the head. */
function step(d: Draft, entry: QueueEntry): void {
  const { plan, verdict } = entry;
  const { entry: id, task } = entry.request;
  if (plan === null) {
    prepare(d, entry);
  } else if ((verdict === null || verdict === 'red') && lettingGo(d)) {
    return;
  } else if (verdict === null) {
    start(entry, 'checking');
    d.out.push({ kind: 'check', call: openCall(d, 'check', id), plan });
  } else if (verdict === 'red') {
    start(entry, 'checking');
    d.out.push({ kind: 'checkBase', call: openCall(d, 'checkBase', id), task, baseOid: plan.baseOid });
  } else if (d.s.block === null) {
    const host = liveHost(d);
    if (host === null) return;
    start(entry, 'publishing');
    entry.began = true;
    entry.leaseUntil = d.now + d.times.mergeLease;
    const proof = { kind: verdict, tree: plan.tree };
    d.out.push({ kind: 'publish', call: openCall(d, 'publish', id), host, plan, verdict: proof });
  }
}

function start(entry: QueueEntry, phase: QueueEntry['phase']): void {
  entry.phase = phase;
  entry.retryAt = null;
}

function prepare(d: Draft, entry: QueueEntry): void {
  const host = liveHost(d);
  if (host === null) return;
  start(entry, entry.needsFence ? 'publishing' : 'preparing');
  const { request } = entry;
  const call = openCall(d, 'prepare', request.entry);
  d.out.push({ kind: 'prepare', call, host, request, acceptTip: d.s.acceptTip });
}

function fence(d: Draft, entry: QueueEntry): void {
  const host = liveHost(d);
  if (host === null) return;
  entry.retryAt = null;
  const { entry: id, task } = entry.request;
  d.out.push({ kind: 'fence', call: openCall(d, 'fence', id), host, task, plan: entry.plan });
}

/**
 * Beside the landings and never before them: it is asked for when nothing of an entry is under way, which is so after
 * each landing, and all that changed until then is in one question. A failure is not tried again by itself.
 */
function predict(d: Draft): void {
  const { s } = d;
  if (!s.conflicts || !s.predictWanted || s.hold || calling(d, 'predict')) return;
  // An entry that has just come is about to be taken up.
  if (s.gates === null || calling(d, 'readGates')) return;
  if (s.calls.some((c) => c.entry !== null)) return;
  const host = liveHost(d);
  if (host === null) return;
  s.predictWanted = false;
  d.out.push({ kind: 'predict', call: openCall(d, 'predict'), host });
}

/** The host, if it was heard of lately; else asks for one and the step waits for the answer. */
function liveHost(d: Draft): string | null {
  const { host, hostSeenAt, hostRetryAt } = d.s;
  if (host !== null && hostSeenAt !== null && d.now - hostSeenAt <= d.times.hostStale) return host;
  if (due(d, hostRetryAt)) pickHost(d);
  return null;
}

function record(d: Draft): void {
  const { s } = d;
  if (calling(d, 'record')) return;
  // While outcomes are refused, the picture goes alone, so that everybody sees why.
  const refused = s.recordBlock !== null;
  if (!due(d, s.recordRetryAt) && !refused) return;
  const settled = due(d, s.recordRetryAt) ? s.settled.filter((e) => !e.recorded) : [];
  const picture = mirrorKey(s);
  if (settled.length === 0 && (s.hold || picture === s.mirrored)) return;
  s.mirrored = picture;
  if (due(d, s.recordRetryAt)) s.recordRetryAt = null;
  const names = settled.map((e) => e.identity.entry);
  d.out.push({
    kind: 'record',
    call: openCall(d, 'record', null, names),
    view: queueView(s),
    settled: settled.map(({ identity, outcome }) => ({ identity, outcome })),
  });
}

/** A host was named, or none. Work on a host that is gone is taken over: a publish by a fence first. */
export function hostAnswered(d: Draft, host: string | null): void {
  const { s } = d;
  if (host === null) {
    s.hostSeenAt = null;
    s.hostRetryAt = backoff(d, ++s.tries.host);
    return;
  }
  const active = activeEntry(s);
  if (host !== s.host && active?.began === true && active.leaseUntil !== null && active.leaseUntil > d.now) {
    // The host of the publish may only be restarting: it keeps the landing until its lease is over.
    s.hostSeenAt = null;
    s.hostRetryAt = Math.min(backoff(d, ++s.tries.host), active.leaseUntil);
    active.detail = `host ${s.host ?? ''} is away; ${host} takes over when the lease is over`;
    return;
  }
  s.tries.host = 0;
  s.hostRetryAt = null;
  s.hostSeenAt = d.now;
  if (host === s.host) return;
  s.host = host;
  dropPrediction(d);
  for (const call of s.calls.filter((c) => c.probeAt !== null)) {
    const entry = s.entries.find((e) => e.request.entry === call.entry);
    if (entry && call.kind === 'publish') entry.needsFence = true;
    d.out.push({ kind: 'cancel', call: call.id });
  }
  s.calls = s.calls.filter((c) => c.probeAt === null);
}
