/** Takes the fence: whoever planned with the old tip can no longer publish. Then says what became of the plan. */
import { randomUUID } from 'node:crypto';
import { SignalboxError } from '../../domain/errors.js';
import { ourIdent } from '../../domain/merge-queue/commit.js';
import type { FenceResult, LandingPlan } from '../../domain/merge-queue/types.js';
import { crashPoint } from '../crash-points.js';
import { treeOf, baseMissing, pushRefused, remoteTaken, resolvePlan, tipMissing } from './resolve.js';
import { writeCommit, type Gate } from './gate.js';
import { ownerRef, takenOver } from './owner.js';
import { baseRef, push, readRemote, tipRef, type RefUpdate } from './remote.js';
import { clearRemoteLocks } from './stale-locks.js';

const ROUNDS = 5;

/** Safe to repeat: each call takes the fence anew. */
export async function fence(gate: Gate, plan: LandingPlan | null): Promise<FenceResult> {
  const locked = await clearRemoteLocks(gate);
  if (locked !== null) return { kind: 'blocked', block: locked };
  const refs = [baseRef(gate.repo), tipRef(gate.repo), ownerRef(gate.repo.facts)];
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = await readRemote(gate, refs);
    const base = found.get(refs[0] ?? '');
    const tip = found.get(refs[1] ?? '');
    if (tip === undefined) {
      const landed = plan === null ? null : await resolvePlan(gate, plan);
      if (landed?.kind === 'landed') return landed;
      return { kind: 'blocked', block: base === undefined ? baseMissing(gate) : tipMissing(gate, base) };
    }
    if (takenOver(gate, found)) {
      const landed = plan === null ? null : await resolvePlan(gate, plan);
      return landed?.kind === 'landed' ? landed : { kind: 'blocked', block: remoteTaken(gate) };
    }
    const nonce = await nonceCommit(gate, tip);
    crashPoint('fence-before-push');
    const pushed = await push(gate, [{ ref: tipRef(gate.repo), oid: nonce, expect: tip }]);
    crashPoint('fence-after-push');
    if (pushed.kind === 'refused') return { kind: 'blocked', block: pushRefused(gate, base ?? tip, pushed.reason) };
    if ((await readRemote(gate, refs)).get(tipRef(gate.repo)) !== nonce) continue;
    if (plan === null) return { kind: 'not-landed', tip: nonce };
    const resolution = await resolvePlan(gate, plan);
    if (resolution.kind === 'landed' || resolution.kind === 'blocked') return resolution;
    return { kind: 'not-landed', tip: resolution.state.tip };
  }
  throw new SignalboxError('git-infrastructure', 'the fence could not be taken: its ref does not hold still');
}

/** What a push must carry for whoever planned with the tip of now to fail. */
export async function fenceUpdate(gate: Gate): Promise<RefUpdate[]> {
  const ref = tipRef(gate.repo);
  const tip = (await readRemote(gate, [ref])).get(ref);
  return tip === undefined ? [] : [{ ref, oid: await nonceCommit(gate, tip), expect: tip }];
}

/** A commit that nobody else makes, on top of the tip that it replaces. */
async function nonceCommit(gate: Gate, tip: string): Promise<string> {
  const ident = ourIdent(Math.floor(gate.host.now().getTime() / 1000));
  return writeCommit(gate, {
    ...{ tree: await treeOf(gate, tip), parents: [tip], author: ident, committer: ident, encoding: null },
    message: `Fence ${randomUUID()}`,
  });
}
