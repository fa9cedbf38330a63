/** Makes the commits of a landing from its plan's inputs, by plumbing alone: the same inputs give the same ids. */
import { ourIdent, type CommitObject } from '../../domain/merge-queue/commit.js';
import { planId, withTrailers, type PlanInputs } from '../../domain/merge-queue/plan.js';
import type { ConflictFacts, EntryIdentity, LandingPlan } from '../../domain/merge-queue/types.js';
import { attributeForms, attributesPath } from './attributes.js';
import { conflictHunks } from './conflict.js';
import { readCommit, readCommits, writeCommit, type Gate } from './gate.js';
import { rangeOids } from './range.js';

/** More commits than this in one rebase are refused. */
const MAX_RANGE = 2000;

export type Computed =
  | { kind: 'computed'; commit: string; tree: string; message: string; plan: string }
  | { kind: 'contained' }
  | { kind: 'conflict'; conflict: ConflictFacts }
  | { kind: 'refused'; reason: string };

export interface ComputeInputs extends Omit<PlanInputs, 'message' | 'entry'> {
  entry: EntryIdentity;
  /** Message of a merge or a squash; a rebase keeps its own. */
  landingMessage: string;
}

/** Makes the landing of a plan once more. */
export async function computePlan(gate: Gate, plan: LandingPlan): Promise<Computed> {
  const [forms = [null]] = await attributeForms(gate, [plan.baseOid]);
  // A plan may have been made by an earlier version; what it says is never taken unseen.
  const attributes = forms.includes(plan.attributes) ? plan.attributes : (forms[0] ?? null);
  return computeLanding(gate, { ...plan, attributes, landingMessage: plan.message });
}

export async function computeLanding(gate: Gate, inputs: ComputeInputs): Promise<Computed> {
  return inputs.strategy === 'rebase-ff' ? computeRebase(gate, inputs) : computeMerge(gate, inputs);
}

/** One commit over base with the merged tree: of a merge with the head as second parent, of a squash without. */
async function computeMerge(gate: Gate, inputs: ComputeInputs): Promise<Computed> {
  const { baseOid, strategy, timestamp, stackBase } = inputs;
  const squash = strategy === 'squash';
  if (stackBase !== undefined && !squash) return { kind: 'refused', reason: STACKED_MERGE };
  const [base, head] = [await readCommit(gate, baseOid), await readCommit(gate, inputs.entry.head)];
  const ours = stackBase === undefined ? baseOid : await treeUpon(gate, base.tree, stackBase);
  const merged = await mergeTrees(gate, ours, inputs.entry.head, inputs.attributes);
  if (merged.kind === 'conflict') return merged;
  if (merged.tree === base.tree) return { kind: 'contained' };
  return finish(gate, inputs, inputs.landingMessage, {
    tree: merged.tree,
    parents: squash ? [baseOid] : [baseOid, inputs.entry.head],
    author: squash ? head.author : ourIdent(timestamp),
  });
}

/** As a parent, the head would bring the history of what it is stacked on, and later make that look contained. */
const STACKED_MERGE =
  'a branch that is stacked on work which base has in another form cannot be merged: use strategy "auto", "rebase-ff" ' +
  'or "squash", or rebase the branch on base';

/** A commit of this tree whose only parent is that commit: merged with a descendant of it, it is the merge base. */
async function treeUpon(gate: Gate, tree: string, parent: string): Promise<string> {
  return writeCommit(gate, {
    ...{ tree, parents: [parent], encoding: null, message: 'synthetic' },
    ...{ author: ourIdent(0), committer: ourIdent(0) },
  });
}

async function computeRebase(gate: Gate, inputs: ComputeInputs): Promise<Computed> {
  const without = inputs.stackBase === undefined ? [] : [inputs.stackBase];
  const oids = await rangeOids(gate, inputs.entry.head, inputs.baseOid, ...without);
  if (oids.length > MAX_RANGE) return { kind: 'refused', reason: `more than ${MAX_RANGE} commits to rebase` };
  const range = await readCommits(gate, oids);
  if (range.some((commit) => commit.parents.length > 1)) {
    return {
      kind: 'refused',
      reason: 'rebase-ff cannot replay merges: use strategy "auto", "merge" or "squash", or rebase the branch',
    };
  }
  const base = await readCommit(gate, inputs.baseOid);
  const steps: { tree: string; source: CommitObject }[] = [];
  let tree = base.tree;
  const trees = new Map(range.map((commit) => [commit.oid, commit.tree]));
  for (const commit of range) {
    const parent = commit.parents[0];
    if (parent === undefined) return { kind: 'refused', reason: 'the branch shares no history with the base' };
    const parentTree = trees.get(parent) ?? (await readCommit(gate, parent)).tree;
    let next = commit.tree;
    if (tree !== parentTree) {
      const onto = await treeUpon(gate, tree, parent);
      const merged = await mergeTrees(gate, onto, commit.oid, inputs.attributes);
      if (merged.kind === 'conflict') return merged;
      next = merged.tree;
    }
    if (next !== tree) steps.push({ tree: next, source: commit });
    tree = next;
  }
  const last = steps.pop();
  if (last === undefined || tree === base.tree) return { kind: 'contained' };
  let parent = inputs.baseOid;
  for (const step of steps) {
    parent = await writeCommit(gate, {
      ...{ tree: step.tree, parents: [parent], encoding: null, message: step.source.message },
      ...{ author: step.source.author, committer: ourIdent(inputs.timestamp) },
    });
  }
  return finish(gate, inputs, last.source.message, {
    ...{ tree: last.tree, parents: [parent], author: last.source.author },
  });
}

async function finish(
  gate: Gate,
  inputs: ComputeInputs,
  message: string,
  parts: Pick<CommitObject, 'tree' | 'parents' | 'author'>,
): Promise<Computed> {
  const plan = planId({ ...inputs, message });
  const commit = await writeCommit(gate, {
    ...parts,
    ...{ committer: ourIdent(inputs.timestamp), encoding: null },
    message: withTrailers(message, { ...inputs, message, plan }),
  });
  return { kind: 'computed', commit, tree: parts.tree, message, plan };
}

type Merged = { kind: 'merged'; tree: string } | { kind: 'conflict'; conflict: ConflictFacts };

async function mergeTrees(gate: Gate, ours: string, theirs: string, attributes: string | null): Promise<Merged> {
  const config = attributes === null ? [] : [`core.attributesFile=${attributesPath(gate.dir, attributes)}`];
  const args = ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', ours, theirs];
  const result = await gate.run(args, { config, answers: [0, 1] });
  const [tree = '', ...rest] = result.stdout.split('\0');
  if (result.code === 0) return { kind: 'merged', tree: tree.trim() };
  const paths = [...new Set(rest.filter((name) => name !== ''))];
  return { kind: 'conflict', conflict: { paths: firstPaths(paths), hunks: await conflictHunks(gate, tree, paths) } };
}

const MAX_PATHS = 200;
/** Characters of all paths that are told, which go into histories. */
const MAX_PATH_TEXT = 16 * 1024;

function firstPaths(paths: readonly string[]): string[] {
  let room = MAX_PATH_TEXT;
  return paths.slice(0, MAX_PATHS).filter((path) => (room -= path.length) >= 0);
}
