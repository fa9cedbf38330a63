/** The commits that a head brings and base lacks. */
import type { CommitObject } from '../../domain/merge-queue/commit.js';
import { readCommits, type Gate } from './gate.js';

/** A longer range is read up to here, which is enough to refuse it. */
export const MAX_COMMITS = 10_000;

export interface Range {
  kind: 'range';
  /** Best common ancestor. */
  common: string;
  /** Oldest first. */
  commits: (CommitObject & { oid: string })[];
}

export type RangeResult = Range | { kind: 'contained' } | { kind: 'unrelated'; reason: string };

/** The range base..head; both must be in the gate. */
export async function readRange(gate: Gate, base: string, head: string): Promise<RangeResult> {
  const args = ['rev-list', '--boundary', '--reverse', '--topo-order'];
  const text = await gate.text([...args, `--max-count=${MAX_COMMITS + 1}`, head, `^${base}`, '--']);
  if (text === '') return { kind: 'contained' };
  const lines = text.split('\n');
  const common = await commonOf(gate, base, head, lines);
  if (common === null) return { kind: 'unrelated', reason: 'the branch shares no history with the base branch' };
  const listed = lines.filter((line) => !line.startsWith('-'));
  return { kind: 'range', common, commits: await readCommits(gate, listed) };
}

/** The best common ancestor: the only way out of the range (a line with `-`), or where there are several, asked for. */
async function commonOf(gate: Gate, base: string, head: string, lines: string[]): Promise<string | null> {
  const exits = lines.filter((line) => line.startsWith('-'));
  if (exits.length === 0) return null;
  if (exits.length === 1) return exits[0]?.slice(1) ?? null;
  return gate.text(['merge-base', base, head]);
}

/** Commits of `head` that none of the others has, oldest first. */
export async function rangeOids(gate: Gate, head: string, ...without: readonly string[]): Promise<string[]> {
  const but = without.map((oid) => `^${oid}`);
  const text = await gate.text(['rev-list', '--reverse', '--topo-order', head, ...but, '--']);
  return text === '' ? [] : text.split('\n');
}
