/**
 * The branch `signalbox/<work item>` of a repository whose changes are shown as pull requests. A forge calls one merged
 * when the push of base brings the head that it had recorded before. So a head that landing rewrites is pushed first, by
 * itself; afterwards, or in the same push, would leave the pull request closed.
 *
 * What somebody else pushed there is never pushed over, unless the new head has it in its history.
 */
import type { LandingPlan } from '../../domain/merge-queue/types.js';
import { pullRequestBranch } from '../../domain/pull-requests.js';
import type { Repo } from '../../domain/repos.js';
import { isAncestor, withGate, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { baseRef, headRef, listRemote, push, readRemote } from './remote.js';

const branchRef = (workItem: string): string => `refs/heads/${pullRequestBranch(workItem)}`;

/**
 * Waits a little until the forge has recorded the head of a branch. Never throws: it is about how a pull request looks.
 */
export type AwaitRecorded = (repo: Repo, branch: string, head: string) => Promise<void>;

/**
 * Notes that `next` is about to be pushed over `found`, null where nothing is lost by it. False when `found` was not
 * pushed by us: then the branch stays as it is.
 */
export type ClaimBranch = (
  repo: string,
  workItem: string,
  push: { found: string | null; next: string },
) => Promise<boolean>;

export interface Announcing {
  claim: ClaimBranch;
  recorded: AwaitRecorded;
}

/** Where no forge shows landings. */
export const UNANNOUNCED: Announcing = { claim: () => Promise.resolve(false), recorded: () => Promise.resolve() };

/** Before a landing is pushed. What comes of it does not hold the landing up. */
export async function announceLanding(gate: Gate, plan: LandingPlan, { claim, recorded }: Announcing): Promise<void> {
  if (gate.repo.config.merge.strategy !== 'pr') return;
  const { workItem } = plan.entry;
  const ref = branchRef(workItem);
  const found = (await listRemote(gate.host, gate.remote, [ref])).get(ref);
  // Without a branch there is no pull request; a head that is merged as it is needs no other.
  if (found === undefined || (found !== plan.commit && (await isAncestor(gate, found, plan.commit)))) return;
  if (found !== plan.commit) {
    if (!(await claim(gate.repo.id, workItem, { found, next: plan.commit }))) return;
    await push(gate, [{ ref, oid: plan.commit, expect: found }]);
  }
  await recorded(gate.repo, pullRequestBranch(workItem), plan.commit);
}

export type Followed =
  { kind: 'there' | 'nothing' | 'gone' } | { kind: 'refused'; reason: string } | { kind: 'foreign'; found: string };

/**
 * Makes the branch what the head of the work item is. `onlyMissing`: one that is there stays as it is, as while the head
 * is about to land. `nothing`: base has that head, so there is nothing to show; `gone`: the remote does not have it any
 * more; `refused`: a rule of the remote, in its words; `foreign`: somebody else pushed what is there, and it stays.
 */
export async function followHead(
  host: GitHost,
  repo: Repo,
  { workItem, head, onlyMissing }: { workItem: string; head: string; onlyMissing: boolean },
  claim: ClaimBranch,
): Promise<Followed> {
  return withGate(host, repo, async (gate) => {
    const [branch, source, base] = [branchRef(workItem), headRef(repo, workItem), baseRef(repo)];
    const found = await readRemote(gate, [source, base]);
    if (found.get(source) !== head) return { kind: 'gone' };
    if (await isAncestor(gate, head, found.get(base) ?? '')) return { kind: 'nothing' };
    const before = (await listRemote(host, gate.remote, [branch])).get(branch) ?? null;
    if (before === head || (before !== null && onlyMissing)) return { kind: 'there' };
    const lost = before === null || (await isAncestor(gate, before, head)) ? null : before;
    const ours = await claim(repo.id, workItem, { found: lost, next: head });
    if (!ours && lost !== null) return { kind: 'foreign', found: lost };
    const pushed = await push(gate, [{ ref: branch, oid: head, expect: before }]);
    if (pushed.kind === 'pushed') return { kind: 'there' };
    return { kind: 'refused', reason: pushed.reason };
  });
}
