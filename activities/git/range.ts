/** What a head brings that base lacks, read at once: commits, the change as a whole, every object. */
import type { CommitObject } from '../../domain/merge-queue/commit.js';
import { readCommits, type Gate } from './gate.js';
import type { ObjectInfo } from './objects.js';

/** A longer range is read up to here, which is enough to refuse it. */
export const MAX_COMMITS = 10_000;

export interface Range {
  kind: 'range';
  /** Best common ancestor. */
  common: string;
  /** Oldest first. */
  commits: (CommitObject & { oid: string })[];
  /** Trees, blobs and tags. */
  objects: ObjectInfo[];
}

export type RangeResult = Range | { kind: 'contained' } | { kind: 'unrelated'; reason: string };

/** The range base..head; both must be in the gate. */
export async function readRange(gate: Gate, base: string, head: string): Promise<RangeResult> {
  const args = ['rev-list', '--objects', '--no-object-names', '--reverse', '--topo-order'];
  const [common, listed] = await Promise.all([
    gate.run(['merge-base', base, head], { answers: [0, 1] }),
    gate.text([...args, `--max-count=${MAX_COMMITS + 1}`, head, `^${base}`, '--']),
  ]);
  if (common.code === 1) return { kind: 'unrelated', reason: 'the branch shares no history with the base branch' };
  if (common.stdout.trim() === head) return { kind: 'contained' };
  const found = (await gate.objects.info(listed.split('\n'))).filter((object) => object !== null);
  return {
    ...{ kind: 'range', common: common.stdout.trim() },
    commits: await readCommits(
      gate,
      found.filter((object) => object.type === 'commit').map((object) => object.oid),
    ),
    objects: found.filter((object) => object.type !== 'commit'),
  };
}

/** Commits of `head` that `base` lacks, oldest first. */
export async function rangeOids(gate: Gate, base: string, head: string): Promise<string[]> {
  const text = await gate.text(['rev-list', '--reverse', '--topo-order', head, `^${base}`, '--']);
  return text === '' ? [] : text.split('\n');
}
