/**
 * What became of a plan, read from the remote alone; the order of the questions is the protocol:
 *   M in base                             → landed
 *   M behind the tip ref, not in base     → rewound: somebody took it off base; never pushed again
 *   another instance took the remote over → blocked: what base has since is not ours
 *   a landing commit carries the entry    → landed (as another plan of the same entry)
 *   base and tip as the plan has them     → not-landed: may be pushed
 *   anything else                         → stale: fence, plan again
 */
import type { Landing, LandingPlan, QueueBlock } from '../../domain/merge-queue/types.js';
import { readCommit, isAncestor, writeCommit, type Gate } from './gate.js';
import { findLanding, publishedVerdict } from './proof.js';
import { ownerRef, takenOver } from './owner.js';
import { baseRef, push, readRemote, tipRef } from './remote.js';
import { ourIdent } from '../../domain/merge-queue/commit.js';

export interface RemoteState {
  base: string;
  tip: string;
}

export type Resolution =
  | { kind: 'landed'; landing: Landing }
  | { kind: 'blocked'; block: QueueBlock }
  | { kind: 'not-landed'; state: RemoteState }
  | { kind: 'stale'; state: RemoteState; reason: string };

export async function resolvePlan(gate: Gate, plan: LandingPlan): Promise<Resolution> {
  const refs = [baseRef(gate.repo), tipRef(gate.repo), ownerRef(gate.repo.facts)];
  for (let look = 0; ; look += 1) {
    const found = await readRemote(gate, refs);
    const base = found.get(refs[0] ?? '');
    const tip = found.get(refs[1] ?? '');
    if (base === undefined) return { kind: 'blocked', block: baseMissing(gate) };
    if (await isAncestor(gate, plan.commit, base)) {
      if (tip !== undefined) await bringTipUp(gate, plan, tip);
      return { kind: 'landed', landing: landingOf(gate, plan) };
    }
    if (takenOver(gate, found)) return { kind: 'blocked', block: remoteTaken(gate) };
    if (tip === undefined) return { kind: 'blocked', block: tipMissing(gate, base) };
    if (await isAncestor(gate, plan.commit, tip)) {
      // A listing reads base before the tip, so a landing in between looks like this once.
      if (look === 0) continue;
      return { kind: 'blocked', block: baseRewound(gate, base, plan.commit) };
    }
    // The entry was not in base when it was planned.
    const other = base === plan.baseOid ? null : await findLanding(gate, plan.entry, base);
    if (other !== null) return { kind: 'landed', landing: other };
    if (base === plan.baseOid && tip === plan.lastTip) return { kind: 'not-landed', state: { base, tip } };
    const moved = base === plan.baseOid ? 'the fence was taken' : `${gate.repo.base} moved to ${base}`;
    return { kind: 'stale', state: { base, tip }, reason: moved };
  }
}

/**
 * The commit that the tip ref becomes with a landing: M, or where M does not contain the tip that it replaces a commit
 * over both, so that the ancestry of the tip remembers every landing and every fence.
 */
export async function tipFor(gate: Gate, plan: LandingPlan, last: string): Promise<string> {
  if (await isAncestor(gate, last, plan.commit)) return plan.commit;
  const ident = ourIdent(plan.timestamp);
  return writeCommit(gate, {
    ...{ tree: plan.tree, parents: [plan.commit, last], author: ident, committer: ident, encoding: null },
    message: `Landed ${plan.commit}`,
  });
}

/** Base landed and the tip did not (the remote died between its two refs): finish the push, leased. */
async function bringTipUp(gate: Gate, plan: LandingPlan, tip: string): Promise<void> {
  if (await isAncestor(gate, plan.commit, tip)) return;
  // A lease that is lost means that somebody else took the fence or finished it: both are right.
  await push(gate, [{ ref: tipRef(gate.repo), oid: await tipFor(gate, plan, tip), expect: tip }]);
}

function landingOf(gate: Gate, plan: LandingPlan): Landing {
  const { entry } = plan;
  return {
    ...{ entry: entry.entry, task: entry.task, generation: entry.generation, head: entry.head },
    ...{ commit: plan.commit, tree: plan.tree, base: plan.baseOid, plan: plan.plan },
    ...{ at: gate.host.now().toISOString(), verdict: publishedVerdict(gate) },
  };
}

const block = (gate: Gate, b: Omit<QueueBlock, 'since'>): QueueBlock => ({
  ...b,
  since: gate.host.now().toISOString(),
});

export const baseRewound = (gate: Gate, base: string, lost: string): QueueBlock =>
  block(gate, {
    code: 'base-rewound',
    reason: `${gate.repo.base} is at ${base} and no longer contains ${lost}, which had landed`,
    clearedBy: `signalbox resume ${gate.repo.id} --accept-tip ${base}`,
    baseOid: base,
  });

export const baseMissing = (gate: Gate): QueueBlock =>
  block(gate, {
    code: 'base-missing',
    reason: `the remote has no branch ${gate.repo.base}`,
    clearedBy: null,
    baseOid: null,
  });

export const tipMissing = (gate: Gate, base: string): QueueBlock =>
  block(gate, {
    code: 'tip-missing',
    reason: `the remote lost ${tipRef(gate.repo)}, which remembers what landed`,
    clearedBy: `signalbox resume ${gate.repo.id} --accept-tip ${base}`,
    baseOid: base,
  });

/** Clears by itself: the next look finds it ours again. */
export const remoteTaken = (gate: Gate): QueueBlock =>
  block(gate, {
    code: 'remote-taken',
    reason: `another Signalbox instance has taken ${gate.repo.remote} over; \`signalbox repo change ${gate.repo.id} --take-over\` takes it back`,
    clearedBy: null,
    baseOid: null,
  });

export const pushRefused = (gate: Gate, base: string, reason: string): QueueBlock =>
  block(gate, {
    code: 'push-refused',
    reason: `the remote refuses the push: ${reason}`,
    clearedBy: `signalbox resume ${gate.repo.id}`,
    baseOid: base,
  });

export const foreignLock = (gate: Gate, reason: string): QueueBlock =>
  block(gate, { code: 'foreign-lock', reason, clearedBy: `signalbox resume ${gate.repo.id}`, baseOid: null });

export const treeOf = async (gate: Gate, commit: string): Promise<string> => (await readCommit(gate, commit)).tree;
