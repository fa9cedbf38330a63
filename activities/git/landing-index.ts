/**
 * Which first parents of base are landings, as far as their messages say so. Base is walked once per process and gate;
 * after that only what came since, so that a landing on a base of many landings costs what one on a young base does.
 */
import { COMMITTER, type CommitObject } from '../../domain/merge-queue/commit.js';
import { readCommits, type Gate } from './gate.js';

/** A longer way back to what is known is left to git. */
const WALK = 64;

export interface ClaimedLanding extends CommitObject {
  oid: string;
}

interface Walked {
  from: string;
  tip: string;
  /** Newest first. */
  landings: ClaimedLanding[];
}

const walked = new Map<string, Walked>();

/** Commits of ours among the first parents of `tip` since the adoption of the repository, newest first. */
export async function claimedLandings(gate: Gate, tip: string): Promise<ClaimedLanding[]> {
  const from = gate.repo.adoptedAt;
  const known = walked.get(gate.dir);
  const newer = known?.from === from ? await walkBack(gate, tip, known.tip) : null;
  const landings =
    known !== undefined && newer !== null ? [...newer.filter(isOurs), ...known.landings] : await all(gate, from, tip);
  walked.set(gate.dir, { from, tip, landings });
  return landings;
}

/** The first parents from `tip` to before `end`; null if `end` is none of the nearest. */
async function walkBack(gate: Gate, tip: string, end: string): Promise<ClaimedLanding[] | null> {
  const seen: ClaimedLanding[] = [];
  for (let at: string | undefined = tip; at !== undefined && seen.length < WALK; at = seen.at(-1)?.parents[0]) {
    if (at === end) return seen;
    seen.push(...(await readCommits(gate, [at])));
  }
  return null;
}

async function all(gate: Gate, from: string, tip: string): Promise<ClaimedLanding[]> {
  if (from === tip) return [];
  const args = ['rev-list', '--first-parent', '--fixed-strings', `--committer=${COMMITTER}`, tip, `^${from}`, '--'];
  const text = await gate.text(args);
  return readCommits(gate, text === '' ? [] : text.split('\n'));
}

const isOurs = (commit: CommitObject): boolean => commit.committer.startsWith(`${COMMITTER} `);
