/**
 * Publishes one checked plan. Looks first; asks the store last; pushes base and tip in one atomic leased push; and
 * believes only what a new process reads back from the remote.
 */
import { setTimeout } from 'node:timers/promises';
import { configHash } from '../../domain/checks/config-hash.js';
import { SignalboxError } from '../../domain/errors.js';
import type { LandingPlan, PublishResult } from '../../domain/merge-queue/types.js';
import { crashPoint } from '../crash-points.js';
import { approvalFault } from '../../domain/pipeline/approvals.js';
import { allEnded } from './all-ended.js';
import { blobsIn } from './blobs.js';
import { computePlan, type Computed } from './compute.js';
import { followCheckout } from './checkout.js';
import { hasObject, isAncestor, type Gate } from './gate.js';
import { announceLanding, UNANNOUNCED, type Announcing } from './head-branch.js';
import type { LandingRecords } from './host.js';
import { baseRef, headRef, push, readRemote, tipRef } from './remote.js';
import { pushRefused, resolvePlan, tipFor, type Resolution } from './resolve.js';
import { clearRemoteLocks } from './stale-locks.js';

export interface PublishVerdict {
  kind: 'green' | 'none';
  tree: string;
}

export async function publish(
  gate: Gate,
  records: LandingRecords,
  plan: LandingPlan,
  verdict: PublishVerdict,
  /** Throws if the caller was told to stop; asked directly before the push, never after. */
  stopRequested: () => void,
  /** For the forge, where one shows the landing. */
  announcing: Announcing = UNANNOUNCED,
): Promise<PublishResult> {
  const locked = await clearRemoteLocks(gate);
  if (locked !== null) return { kind: 'blocked', block: locked };
  gate.host.heartbeat('resolve');
  // Making it again asks nothing of the remote where its parts are here: both at once.
  const [before, early] = await allEnded([resolvePlan(gate, plan), computeAgain(gate, plan)]);
  if (before.kind !== 'not-landed') return settled(gate, plan, verdict, before);

  if (plan.tree !== verdict.tree) {
    throw new SignalboxError('internal', `plan ${plan.plan} has tree ${plan.tree}, its verdict is of ${verdict.tree}`);
  }
  if (early === null) await ensurePlanObjects(gate, plan);
  const drift = driftOf(plan, verdict, early ?? (await computeAgain(gate, plan)));
  if (drift !== null) return drift;
  if (!(await isAncestor(gate, plan.baseOid, plan.commit))) {
    throw new SignalboxError('internal', `plan ${plan.plan}: ${plan.commit} is not made on ${plan.baseOid}`);
  }
  await announceLanding(gate, plan, announcing);
  const tip = await tipFor(gate, plan, plan.lastTip);
  const held = await gatedBy(gate, records, plan);
  if (held !== null) return held;
  stopRequested();

  gate.host.heartbeat('push');
  crashPoint('publish-before-push');
  const pushed = await push(gate, [
    { ref: baseRef(gate.repo), oid: plan.commit, expect: plan.baseOid },
    { ref: tipRef(gate.repo), oid: tip, expect: plan.lastTip },
  ]);
  crashPoint('publish-after-push');
  gate.host.heartbeat('prove');
  const after = await resolvePlan(gate, plan);
  if (after.kind !== 'not-landed') return settled(gate, plan, verdict, after);
  if (pushed.kind === 'refused') return { kind: 'blocked', block: pushRefused(gate, after.state.base, pushed.reason) };
  const why = pushed.kind === 'pushed' ? 'it said so, but the remote does not show it' : pushed.reason;
  throw new SignalboxError('git-infrastructure', `the push did not land: ${why}`);
}

async function settled(
  gate: Gate,
  plan: LandingPlan,
  verdict: PublishVerdict,
  resolution: Exclude<Resolution, { kind: 'not-landed' }>,
): Promise<PublishResult> {
  if (resolution.kind === 'stale') return { kind: 'stale', reason: resolution.reason };
  if (resolution.kind === 'blocked') return resolution;
  const landing = { ...resolution.landing, verdict: verdict.kind };
  const behind = await followCheckout(gate, landing);
  return behind === null ? { kind: 'landed', landing } : { kind: 'landed', landing, checkoutBehind: behind };
}

/**
 * Makes the landing once more, in new processes, from the plan's inputs: the bytes about to land are those checked.
 * Null where head or base is not in this gate.
 */
async function computeAgain(gate: Gate, plan: LandingPlan): Promise<Computed | null> {
  if (!(await hasPlanObjects(gate, plan))) return null;
  return computePlan(gate, plan);
}

/** Why what was made again is not what was checked, or null. */
function driftOf(plan: LandingPlan, verdict: PublishVerdict, again: Computed | null): PublishResult | null {
  if (again === null) return { kind: 'stale', reason: `the head ${plan.entry.head} is gone` };
  if (again.kind !== 'computed' || again.commit !== plan.commit || again.tree !== verdict.tree) {
    return { kind: 'stale', reason: 'making the landing again gave another result' };
  }
  return null;
}

/** Head and base of the plan in this gate, fetched where they are missing; false if the remote has them no more. */
export async function ensurePlanObjects(gate: Gate, plan: LandingPlan): Promise<boolean> {
  if (await hasPlanObjects(gate, plan)) return true;
  await readRemote(gate, [headRef(gate.repo, plan.entry.workItem), baseRef(gate.repo), tipRef(gate.repo)]);
  return hasPlanObjects(gate, plan);
}

const hasPlanObjects = async (gate: Gate, plan: LandingPlan): Promise<boolean> =>
  (await hasObject(gate, plan.entry.head)) && (await hasObject(gate, plan.baseOid));

const APPROVAL_LOOKS = 20;
const APPROVAL_LOOK_MS = 250;

/** Approvals are of documents: those that would land have to be the ones that people saw. */
async function unapproved(gate: Gate, records: LandingRecords, { entry }: LandingPlan): Promise<string | null> {
  const { needed, decisions } = await records.approvals(entry);
  const paths = needed.flatMap(({ path }) => path ?? []);
  const blobs = await blobsIn(gate, entry.head, paths);
  let fault = approvalFault(needed, decisions, blobs);
  // The row is written beside the way into the queue, and may be late.
  for (let n = 0; fault?.kind === 'missing' && n < APPROVAL_LOOKS; n += 1) {
    await setTimeout(APPROVAL_LOOK_MS);
    fault = approvalFault(needed, (await records.approvals(entry)).decisions, blobs);
  }
  return fault?.reason ?? null;
}

/** What people said since: read now, so that a pause that was answered holds. */
async function gatedBy(gate: Gate, records: LandingRecords, plan: LandingPlan): Promise<PublishResult | null> {
  const gates = await records.activeGates(plan.entry.repo);
  const concerns = gates.filter(
    (g) => g.kind !== 'drain' && g.scope !== 'admission' && (g.base === null || g.base === plan.entry.base),
  );
  const fix = concerns.length > 0 && (await records.isFix(plan.entry.entry));
  const holds = concerns.find((g) => g.kind !== 'freeze' || !fix);
  if (holds !== undefined) return { kind: 'gated', reason: `${holds.kind} by ${holds.by}: ${holds.reason}` };
  const unwanted = (await records.unwanted(plan.entry)) ?? (await unapproved(gate, records, plan));
  if (unwanted !== null) return { kind: 'unwanted', reason: unwanted };
  return (await isGreenNow(gate, records, plan))
    ? null
    : { kind: 'stale', reason: 'the checks that are required now have no green verdict for this tree' };
}

/** By the checks as they are configured at this moment: since the verdict came, one may have been added. */
async function isGreenNow({ repo }: Gate, records: LandingRecords, plan: LandingPlan): Promise<boolean> {
  const { checks, setup } = repo.config;
  if (checks.length === 0) return true;
  return (await records.verdictOf(plan.tree, repo.id, configHash(checks, setup, plan.commit))) === 'green';
}
