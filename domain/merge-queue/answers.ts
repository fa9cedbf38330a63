/** What the answers of git, checks and records mean for the entry they are about. */
import type { Verdict } from '../checks/types.js';
import { assertNever } from '../errors.js';
import { hostAnswered } from './advance.js';
import {
  backoff,
  blockOnRecords,
  calling,
  clearBlock,
  closeCall,
  dropCalls,
  findEntry,
  raiseBlock,
  remoteWorks,
  resetEntry,
  seeBase,
  settle,
  type Draft,
} from './draft.js';
import type { CheckReply } from './events.js';
import { beginRepair, waitForRepair } from './repairs.js';
import type { QueueEntry } from './state.js';
import type { FenceResult, PrepareResult, PublishedLanding, PublishResult } from './types.js';

const VERDICTS_KEPT = 4;
/** Base may move under a landing now and then; from this many times on, wait before the next try. */
const STALE_FREE = 3;

export function prepared(d: Draft, entry: QueueEntry, result: PrepareResult): void {
  if (result.kind === 'blocked') {
    raiseBlock(d, entry, result.block);
    return;
  }
  if (result.kind === 'landed' && result.landing.task !== entry.request.task) {
    faulted(d, entry, 'prepare answered with the landing of another task');
    return;
  }
  remoteWorks(d);
  if (entry.needsFence) {
    // It was only asked for the tip ref; what became of the old plan is the fence's to say.
    entry.restoreTip = false;
    return;
  }
  switch (result.kind) {
    case 'planned':
      if (result.plan.entry.entry !== entry.request.entry) {
        faulted(d, entry, 'prepare answered with the plan of another entry');
        return;
      }
      seeBase(d, result.plan.baseOid);
      Object.assign(entry, { plan: result.plan, verdict: null, awaited: null, phase: 'checking', detail: null });
      return;
    case 'landed':
      settle(d, entry, { kind: 'landed', landing: result.landing });
      return;
    case 'contained':
      seeBase(d, result.baseOid);
      settle(d, entry, { kind: 'contained' });
      return;
    case 'conflict':
      seeBase(d, result.baseOid);
      conflicted(d, entry, result);
      return;
    case 'refused':
      settle(d, entry, { kind: 'refused', reason: result.reason });
      return;
    default:
      return assertNever(result);
  }
}

/** Sent to repair, unless another repair of the same paths comes first. */
function conflicted(d: Draft, entry: QueueEntry, result: Extract<PrepareResult, { kind: 'conflict' }>): void {
  const { conflict, baseOid } = result;
  if (d.s.conflicts && waitForRepair(d, entry, conflict.paths)) return;
  settle(d, entry, { kind: 'conflict', conflict, baseOid });
  beginRepair(d, entry.request.task, conflict.paths);
}

export function checkReplied(d: Draft, entry: QueueEntry, reply: CheckReply): void {
  if (reply.kind === 'verdict') {
    judged(d, entry, reply.verdict);
  } else {
    entry.awaited = reply.key;
    // A signal is a hint: ask again if none comes.
    entry.retryAt = d.now + d.times.mergeLease;
    entry.detail = entry.verdict === 'red' ? 'red; checking whether base is red by itself' : null;
    const early = d.s.verdicts.find((v) => v.key === reply.key);
    if (early) judged(d, entry, early);
  }
  if (!calling(d, 'check') && !calling(d, 'checkBase')) d.s.verdicts = [];
}

export function checkSettled(d: Draft, key: string, verdict: Verdict): void {
  const waiting = d.s.entries.filter((e) => e.awaited === key);
  for (const entry of waiting) {
    dropCalls(d, (c) => c.entry === entry.request.entry && (c.kind === 'check' || c.kind === 'checkBase'));
    judged(d, entry, verdict);
  }
  const asking = calling(d, 'check') || calling(d, 'checkBase');
  if (waiting.length === 0 && asking) d.s.verdicts = [...d.s.verdicts, verdict].slice(-VERDICTS_KEPT);
}

/** A verdict for what the entry asked: the tree of its plan, or after a red the tree of base. */
function judged(d: Draft, entry: QueueEntry, verdict: Verdict): void {
  entry.awaited = null;
  entry.retryAt = null;
  if (verdict.verdict === 'fault') {
    faulted(d, entry, `the check could not run: ${verdict.reason ?? 'no reason given'}`);
  } else if (entry.verdict === 'red') {
    baseJudged(d, entry, verdict);
  } else if (verdict.tree !== entry.plan?.tree) {
    faulted(d, entry, 'the verdict is of another tree');
  } else {
    entry.verdict = verdict.verdict;
    entry.failed = verdict.failed;
    entry.detail = null;
    if (verdict.verdict !== 'red' && d.s.block?.code === 'base-red') clearBlock(d);
  }
}

function baseJudged(d: Draft, entry: QueueEntry, verdict: Verdict): void {
  if (verdict.verdict === 'red') {
    const name = verdict.failed?.name ?? 'a check';
    const baseOid = entry.plan?.baseOid ?? null;
    const since = new Date(d.now).toISOString();
    const reason = `${name} is red on ${d.s.base} itself`;
    raiseBlock(d, entry, { code: 'base-red', reason, clearedBy: null, baseOid, since });
  } else {
    if (d.s.block?.code === 'base-red') clearBlock(d);
    settle(d, entry, { kind: 'red', failed: entry.failed });
  }
}

export function published(d: Draft, entry: QueueEntry, result: PublishResult): void {
  switch (result.kind) {
    case 'landed':
      landed(d, entry, result);
      return;
    case 'stale':
      entry.needsFence = true;
      entry.tries += 1;
      entry.detail = result.reason;
      return;
    case 'gated':
      // Nothing was pushed and the plan stands; the gate that the store showed is not known here yet.
      entry.phase = 'checking';
      entry.detail = `held at the push: ${result.reason}`;
      entry.retryAt = backoff(d, ++entry.tries);
      d.s.gatesWanted = true;
      return;
    case 'unwanted':
      entry.withdraw ??= result.reason;
      entry.needsFence = true;
      return;
    case 'blocked':
      entry.rewound = result.block.code === 'base-rewound';
      {
        raiseBlock(d, entry, result.block);
        return;
      }
    default:
      return assertNever(result);
  }
}

export function fenced(d: Draft, entry: QueueEntry, result: FenceResult): void {
  switch (result.kind) {
    case 'blocked':
      entry.rewound = result.block.code === 'base-rewound';
      {
        raiseBlock(d, entry, result.block);
        return;
      }
    case 'landed':
      remoteWorks(d);
      {
        landed(d, entry, result);
        return;
      }
    case 'not-landed':
      remoteWorks(d);
      Object.assign(entry, { began: false, leaseUntil: null, needsFence: false, rewound: false });
      if (entry.withdraw !== null) {
        settle(d, entry, { kind: 'withdrawn', reason: entry.withdraw });
        return;
      }
      resetEntry(entry, 'preparing');
      if (entry.tries >= STALE_FREE) entry.retryAt = backoff(d, entry.tries - STALE_FREE);
      return;
    default:
      return assertNever(result);
  }
}

function landed(d: Draft, entry: QueueEntry, { landing, checkoutBehind }: PublishedLanding): void {
  if (landing.entry !== entry.request.entry) {
    entry.needsFence = true;
    faulted(d, entry, 'the landing of another entry was reported');
    return;
  }
  d.s.acceptTip = null;
  settle(d, entry, { kind: 'landed', landing: { ...landing, ...(checkoutBehind && { checkoutBehind }) } });
}

export function recorded(d: Draft, id: number): void {
  const call = closeCall(d, id, 'record');
  if (!call) return;
  // A picture alone proves nothing about the outcomes that could not be stored.
  if (call.settled.length > 0 || d.s.recordBlock === null) {
    d.s.tries.record = 0;
    d.s.fault = null;
    d.s.recordRetryAt = null;
    d.s.recordBlock = null;
  }
  for (const e of d.s.settled) {
    if (e.recorded || !call.settled.includes(e.identity.entry)) continue;
    e.recorded = true;
    d.out.push({ kind: 'tell', workflowId: e.workflowId, entry: e.identity.entry, outcome: e.outcome });
  }
}

function faulted(d: Draft, entry: QueueEntry, message: string): void {
  entry.detail = message;
  entry.retryAt = backoff(d, ++entry.tries);
}

export function failed(d: Draft, id: number, message: string): void {
  const call = closeCall(d, id);
  if (!call) return;
  const { s } = d;
  switch (call.kind) {
    case 'pickHost':
      hostAnswered(d, null);
      return;
    case 'predict':
    case 'letGo':
      return;
    case 'readGates':
      s.gatesWanted = true;
      s.fault = `gates: ${message}`;
      s.gatesRetryAt = backoff(d, ++s.tries.gates);
      return;
    case 'record':
      s.fault = `records: ${message}`;
      if (call.settled.length > 0) {
        s.mirrored = '';
        s.recordRetryAt = backoff(d, ++s.tries.record);
        blockOnRecords(d, message);
      } else {
        // Not even the picture: it comes again with the next try, or when there is another one to show.
        s.recordRetryAt ??= backoff(d, ++s.tries.record);
        if (s.recordBlock === null) s.mirrored = '';
      }
      return;
    case 'prepare':
    case 'check':
    case 'checkBase':
    case 'publish':
    case 'fence': {
      const entry = findEntry(d, call.entry);
      if (!entry) return;
      // The host may be the reason: ask for a live one before the next step.
      if (call.probeAt !== null) s.hostSeenAt = null;
      faulted(d, entry, message);
      // Nobody knows whether the push went through, and the fence tells at once.
      if (call.kind === 'publish') Object.assign(entry, { needsFence: true, retryAt: null });
      return;
    }
    default:
      return assertNever(call.kind);
  }
}
