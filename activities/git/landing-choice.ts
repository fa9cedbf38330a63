/** How a branch lands: which of its commits are its own, and by which strategy. */
import type { EnqueueRequest, LandingStrategy, Strategy } from '../../domain/merge-queue/types.js';
import { isAncestor, type Gate } from './gate.js';
import { rangeOids, type Range } from './range.js';

export interface LandingChoice {
  strategy: LandingStrategy;
  /** Of the range the commits that are not another task's, oldest first. */
  own: Range['commits'];
  /** Where the branch was cut from another task's work, as far as base has that not in its history; else undefined. */
  stackBase: string | undefined;
}

export async function landingOf(
  gate: Gate,
  branch: Pick<EnqueueRequest, 'head' | 'stackBase'>,
  base: string,
  range: Range['commits'],
): Promise<LandingChoice> {
  const stackBase = await stackBaseOf(gate, branch, base);
  const own = stackBase === undefined ? range : await withoutHistoryOf(gate, range, branch.head, stackBase);
  return { own, stackBase, strategy: strategyFor(gate.repo.config.merge.strategy, own, stackBase !== undefined) };
}

/** `auto` keeps the commits of a branch as they are: only those that hold merges cannot be replayed. */
function strategyFor(asked: Strategy, own: Range['commits'], stacked: boolean): LandingStrategy {
  if (asked !== 'auto' && asked !== 'pr') return asked;
  if (own.every((commit) => commit.parents.length < 2)) return 'rebase-ff';
  // A merge would bring the history of what it is stacked on along.
  return stacked ? 'squash' : 'merge';
}

/** Only where it still says something: in the branch's history and not in base's. */
async function stackBaseOf(
  gate: Gate,
  { stackBase, head }: Pick<EnqueueRequest, 'head' | 'stackBase'>,
  base: string,
): Promise<string | undefined> {
  if (stackBase === undefined || !(await isAncestor(gate, stackBase, head))) return undefined;
  return (await isAncestor(gate, stackBase, base)) ? undefined : stackBase;
}

async function withoutHistoryOf<C extends { oid: string }>(
  gate: Gate,
  commits: readonly C[],
  head: string,
  stackBase: string,
): Promise<C[]> {
  const own = new Set(await rangeOids(gate, head, stackBase));
  return commits.filter((commit) => own.has(commit.oid));
}
