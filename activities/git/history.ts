/** Reads commits of ours in the history of a base branch, with what it takes to prove them. Changes nothing. */
import { SignalboxError } from '../../domain/errors.js';
import type { HistoryCommit } from '../../domain/merge-queue/audit-types.js';
import { COMMITTER } from '../../domain/merge-queue/commit.js';
import { provenLanding, readTrailers } from '../../domain/merge-queue/plan.js';
import { attributeForms } from './attributes.js';
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

/** In the order asked for. `onLine`: the first parents of `base`. */
export async function readHistoryCommits(
  gate: Gate,
  base: string,
  oids: readonly string[],
  onLine: ReadonlySet<string>,
): Promise<HistoryCommit[]> {
  const all: HistoryCommit[] = [];
  for (let i = 0; i < oids.length; i += READ) {
    const commits = await readCommits(gate, oids.slice(i, i + READ));
    const named = commits
      .map((commit) => readTrailers(commit.message)?.baseOid ?? '')
      .map((oid) => (OID.test(oid) ? oid : null));
    const found = await attributeForms(
      gate,
      named.filter((oid) => oid !== null),
    );
    for (const [n, commit] of commits.entries()) {
      const forms = named[n] === null ? [] : (found.shift() ?? []);
      // A landing of an earlier version is proven by the other form.
      const proves = forms.find((form) => provenLanding(commit, gate.repo.id, base, form) !== null);
      const attributes = proves === undefined ? (forms[0] ?? null) : proves;
      all.push({ ...commit, attributes, onLine: onLine.has(commit.oid) });
    }
  }
  return all;
}
