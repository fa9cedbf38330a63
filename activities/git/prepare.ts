/** Makes the plan of a landing, after making sure that base still holds what landed and that this did not land yet. */
import { SignalboxError } from '../../domain/errors.js';
import { mergeMessage, planTimestamp, squashMessage } from '../../domain/merge-queue/plan.js';
import type {
  EnqueueRequest,
  EntryIdentity,
  Landing,
  PrepareResult,
  QueueBlock,
} from '../../domain/merge-queue/types.js';
import { allEnded } from './all-ended.js';
import { baseAttributes } from './attributes.js';
import { computeLanding } from './compute.js';
import { withOrigin } from './conflict.js';
import { hasObject, isAncestor, readCommit, type Gate } from './gate.js';
import type { LandingRecords } from './host.js';
import { findLanding } from './proof.js';
import { landingOf } from './landing-choice.js';
import { readRange, type Range } from './range.js';
import { ownerRef, takenOver } from './owner.js';
import { baseRef, headRef, push, readRemote, tipRef } from './remote.js';
import { baseMissing, baseRewound, remoteTaken, tipMissing, type RemoteState } from './resolve.js';
import { rangeFault } from './validate.js';

export async function prepare(
  gate: Gate,
  records: LandingRecords,
  request: EnqueueRequest,
  acceptTip: string | null,
): Promise<PrepareResult> {
  const opened = await openState(gate, records, request, acceptTip);
  if ('code' in opened) return { kind: 'blocked', block: opened };
  const { base, tip, headFault } = opened;
  // Both only read. What landed is told also where its head is gone.
  const [landed, range] = await allEnded([
    findPrevious(gate, records, request, base),
    hasObject(gate, request.head).then((there) => (there ? readRange(gate, base, request.head) : null)),
  ]);
  if (landed !== null) return { kind: 'landed', landing: landed };
  if (range === null) {
    return { kind: 'refused', reason: headFault ?? `the remote no longer has the head ${request.head}` };
  }
  if (range.kind === 'contained') return { kind: 'contained', baseOid: base };
  if (range.kind === 'unrelated') return { kind: 'refused', reason: range.reason };
  gate.host.heartbeat('merge');
  // A plan only writes objects: one of a range that is refused is dropped.
  const [fault, planned] = await allEnded([
    rangeFault(gate, range, request.head),
    plan(gate, request, { base, tip }, range),
  ]);
  return fault === null ? planned : { kind: 'refused', reason: fault };
}

/** The landing of this entry, or of this task in this generation: by the store, else by the history of base. */
async function findPrevious(
  gate: Gate,
  records: LandingRecords,
  request: EnqueueRequest,
  base: string,
): Promise<Landing | null> {
  return (
    (await records.landingOfEntry(request.entry)) ??
    (await records.landingOfTask(request.repo, request.workItem, request.generation)) ??
    (await findLanding(gate, request, base))
  );
}

/** Step 0: base is there, the tip is there, and base holds the last landing (or what was accepted in its place). */
async function openState(
  gate: Gate,
  records: LandingRecords,
  request: EnqueueRequest,
  acceptTip: string | null,
): Promise<(RemoteState & { headFault?: string }) | QueueBlock> {
  const { owner } = gate.repo.facts;
  const refs = [baseRef(gate.repo), tipRef(gate.repo), headRef(gate.repo, request.workItem)];
  if (owner !== undefined) refs.push(ownerRef(gate.repo.facts));
  const { found, headFault } = await readWithHead(gate, refs, request);
  const base = found.get(baseRef(gate.repo));
  if (base === undefined) return baseMissing(gate);
  if (takenOver(gate, found)) return remoteTaken(gate);
  const anchor = acceptTip ?? (await records.lastLanding(request.repo, request.base))?.commit ?? gate.repo.adoptedAt;
  if (!(await isAncestor(gate, anchor, base))) return baseRewound(gate, base, anchor);
  let tip = found.get(tipRef(gate.repo));
  if (tip === undefined && acceptTip !== null) {
    await push(gate, [{ ref: tipRef(gate.repo), oid: base, expect: null }]);
    tip = (await readRemote(gate, [tipRef(gate.repo)])).get(tipRef(gate.repo));
  }
  if (tip === undefined) return tipMissing(gate, base);
  return { base, tip, ...(headFault !== undefined && { headFault }) };
}

/** The refs, without the head where git's own rules do not let it in: no later try would. */
async function readWithHead(
  gate: Gate,
  refs: readonly string[],
  { workItem, head }: EnqueueRequest,
): Promise<{ found: Map<string, string>; headFault?: string }> {
  try {
    return { found: await readRemote(gate, refs, head) };
  } catch (err) {
    if (!(err instanceof SignalboxError && err.message.includes('fsck error'))) throw err;
    const others = refs.filter((ref) => ref !== headRef(gate.repo, workItem));
    const words = err.message.replace(/^git .*? exited with \d+: /, '');
    return { found: await readRemote(gate, others), headFault: `the head ${head} cannot be imported: ${words}` };
  }
}

async function plan(
  gate: Gate,
  request: EnqueueRequest,
  state: RemoteState,
  { commits, common }: Range,
): Promise<PrepareResult> {
  const { own, strategy, stackBase } = await landingOf(gate, request, state.base, commits);
  const base = await readCommit(gate, state.base);
  const entry = identityOf(request);
  const inputs = {
    ...{ entry, strategy, baseOid: state.base },
    timestamp: planTimestamp(request.enqueuedAt, base.committer),
    attributes: await baseAttributes(gate, state.base),
    ...(stackBase !== undefined && { stackBase }),
  };
  const { task, title } = request;
  const landingMessage = strategy === 'squash' ? squashMessage(task, title, own) : mergeMessage(task, title);
  const result = await computeLanding(gate, { ...inputs, landingMessage });
  if (result.kind === 'contained') return { kind: 'contained', baseOid: state.base };
  if (result.kind === 'conflict') {
    const between = { base: state.base, common: stackBase ?? common, head: request.head };
    return { kind: 'conflict', conflict: await withOrigin(gate, result.conflict, between), baseOid: state.base };
  }
  if (result.kind === 'refused') return result;
  const { commit, tree, message, plan: id } = result;
  return { kind: 'planned', plan: { ...inputs, plan: id, lastTip: state.tip, message, commit, tree } };
}

const identityOf = (r: EnqueueRequest): EntryIdentity => ({
  ...{ repo: r.repo, base: r.base, task: r.task, workItem: r.workItem },
  ...{ generation: r.generation, head: r.head, try: r.try, entry: r.entry },
});
