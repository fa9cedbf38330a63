/** What landing a head now would come to: the same merge as for its plan, into objects that are thrown away. */
import path from 'node:path';
import { planTimestamp } from '../../domain/merge-queue/plan.js';
import type { LandingStrategy } from '../../domain/merge-queue/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { baseAttributes } from './attributes.js';
import { computeLanding } from './compute.js';
import { hasObject, readCommit, withGate, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { landingOf } from './landing-choice.js';
import { withScratch } from './merge-pairs.js';
import { openObjects } from './objects.js';
import { readRange } from './range.js';
import { baseRef, headRef, readRemote } from './remote.js';
import { rangeFault } from './validate.js';

export interface MergePreview {
  /** Where base is. */
  base: string;
  head: string;
  kind: 'clean' | 'conflict' | 'contained';
  paths: string[];
  hunks: string;
  strategy: LandingStrategy;
  /** Of base after the landing; null where there is a conflict. */
  tree: string | null;
}

/**
 * Throws `not-found` without base or head on the remote, `not-acceptable` for what would be refused, and
 * `git-infrastructure`, `gate-busy`.
 */
export async function previewLanding(
  host: GitHost,
  repo: Repo,
  { workItem, head, stackBase }: { workItem: string; head: string; stackBase: string | null },
): Promise<MergePreview> {
  const refs = [baseRef(repo), headRef(repo, workItem)];
  const found = await withGate(host, repo, async (gate) => {
    const base = (await readRemote(gate, refs, head)).get(baseRef(repo));
    if (base === undefined) throw new SignalboxError('not-found', `the remote has no branch ${repo.base}`);
    if (!(await hasObject(gate, head))) throw new SignalboxError('not-found', `the remote has no commit ${head}`);
    return { gate, base, attributes: await baseAttributes(gate, base) };
  });
  const branch = stackBase === null ? { head } : { head, stackBase };
  return withScratch(host, (scratch) =>
    inScratch(found.gate, scratch, (gate) => preview(gate, { ...found, workItem, branch })),
  );
}

interface Inputs {
  base: string;
  attributes: string | null;
  workItem: string;
  branch: { head: string; stackBase?: string };
}

async function preview(gate: Gate, { base, attributes, workItem, branch }: Inputs): Promise<MergePreview> {
  const { repo } = gate;
  const { head } = branch;
  const range = await readRange(gate, base, head);
  if (range.kind === 'unrelated') throw new SignalboxError('not-acceptable', range.reason);
  const choice = await landingOf(gate, branch, base, range.kind === 'range' ? range.commits : []);
  const { strategy } = choice;
  const facts = { base, head, paths: [], hunks: '', strategy };
  const baseCommit = await readCommit(gate, base);
  if (range.kind === 'contained') return { ...facts, kind: 'contained', tree: baseCommit.tree };
  const fault = await rangeFault(gate, range, head);
  if (fault !== null) throw new SignalboxError('not-acceptable', fault);
  const made = await computeLanding(gate, {
    entry: { ...{ repo: repo.id, base: repo.base, task: `${repo.id}/${workItem}`, workItem }, ...NOBODY, head },
    ...{ strategy, baseOid: base, attributes, landingMessage: 'Preview' },
    ...(choice.stackBase !== undefined && { stackBase: choice.stackBase }),
    timestamp: planTimestamp('1970-01-01T00:00:00Z', baseCommit.committer),
  });
  switch (made.kind) {
    case 'computed':
      return { ...facts, kind: 'clean', tree: made.tree };
    case 'contained':
      return { ...facts, kind: 'contained', tree: baseCommit.tree };
    case 'conflict':
      return { ...facts, kind: 'conflict', ...made.conflict, tree: null };
    case 'refused':
      throw new SignalboxError('not-acceptable', made.reason);
  }
}

/** Nothing is pushed, so it is nobody's entry. */
const NOBODY = { generation: 0, try: 0, entry: 'preview' };

/** The gate without its lock: it is only read, and what is written goes elsewhere. */
async function inScratch<T>(held: Gate, scratch: string, use: (gate: Gate) => Promise<T>): Promise<T> {
  const { host, dir } = held;
  const env = { GIT_OBJECT_DIRECTORY: scratch, GIT_ALTERNATE_OBJECT_DIRECTORIES: path.join(dir, 'objects') };
  const run: Gate['run'] = (args, call = {}) =>
    host.git.run(args, { gitDir: dir, ...call, env: { ...call.env, ...env } });
  const objects = openObjects(host.git, dir);
  try {
    const text: Gate['text'] = async (args, call) => (await run(args, call)).stdout.replace(/\n$/, '');
    return await use({ ...held, objects, run, text });
  } finally {
    await objects.close();
  }
}
