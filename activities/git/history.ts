/** Reads commits of ours in the history of a base branch, with what it takes to prove them. Changes nothing. */
import { SignalboxError } from '../../domain/errors.js';
import type { HistoryCommit } from '../../domain/merge-queue/audit-types.js';
import { COMMITTER } from '../../domain/merge-queue/commit.js';
import { readTrailers } from '../../domain/merge-queue/plan.js';
import { baseAttributes } from './compute.js';
import { readCommits, type Gate } from './gate.js';
import { readRemote } from './remote.js';

export const OID = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
/** Arguments of `listCommits` for those that we committed. */
export const OURS = ['--topo-order', '--fixed-strings', `--committer=${COMMITTER}`];
/** Commits that are read at a time: messages may be long. */
const READ = 1000;

/**
 * Base and its tip ref at one moment: a listing reads one after the other, so it counts when a second one is the same.
 * Throws `not-found` without the branch.
 */
export async function readBaseAndTip(gate: Gate, base: string): Promise<{ to: string; tip: string | null }> {
  const refs = { base: `refs/heads/${base}`, tip: `${gate.repo.facts.tipPrefix}${base}` };
  let before: Map<string, string> | null = null;
  for (let look = 0; look < 10; look += 1) {
    const now = await readRemote(gate, [refs.base, refs.tip]);
    const same = [refs.base, refs.tip].every((ref) => before?.get(ref) === now.get(ref));
    const to = now.get(refs.base);
    if (to === undefined) throw new SignalboxError('not-found', `the remote has no branch ${base}`);
    if (before !== null && same) return { to, tip: now.get(refs.tip) ?? null };
    before = now;
  }
  throw new SignalboxError('git-infrastructure', 'the refs of the remote do not hold still');
}

/** Oldest first. */
export async function listCommits(gate: Gate, args: readonly string[]): Promise<string[]> {
  const text = await gate.text(['rev-list', '--reverse', ...args, '--']);
  return text === '' ? [] : text.split('\n');
}

/** In the order asked for. `onLine`: the first parents of base. */
export async function readHistoryCommits(
  gate: Gate,
  oids: readonly string[],
  onLine: ReadonlySet<string>,
): Promise<HistoryCommit[]> {
  const attributesOfAll = attributesOf(gate);
  const all: HistoryCommit[] = [];
  for (let i = 0; i < oids.length; i += READ) {
    const commits = await readCommits(gate, oids.slice(i, i + READ));
    const bases = commits.map((commit) => readTrailers(commit.message)?.baseOid ?? '');
    const attributes = await attributesOfAll(bases);
    all.push(
      ...commits.map((commit, n) => ({ ...commit, attributes: attributes[n] ?? null, onLine: onLine.has(commit.oid) })),
    );
  }
  return all;
}

/** The attributes that merges onto these commits use; null for what is no commit id. Most commits share theirs. */
function attributesOf(gate: Gate): (bases: readonly string[]) => Promise<(string | null)[]> {
  const known = new Map<string, string | null>();
  return async (bases) => {
    const named = bases.map((base) => (OID.test(base) ? `${base}:.gitattributes` : null));
    const infos = await gate.objects.info(named.filter((name) => name !== null));
    const found: (string | null)[] = [];
    for (const [i, name] of named.entries()) {
      const blob = name === null ? null : infos.shift();
      if (blob?.type === 'blob' && !known.has(blob.oid)) {
        known.set(blob.oid, await baseAttributes(gate, bases[i] ?? ''));
      }
      found.push(known.get(blob?.oid ?? '') ?? null);
    }
    return found;
  };
}
