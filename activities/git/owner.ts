/**
 * Who lands on a remote: one ref of it names the instance and its claim. Two instances that know nothing of each other
 * would give the same names to different work, so the second one is refused until a person says that it takes over.
 * What a claim is, is stored with the adoption point in one row, so that what somebody else landed before never looks
 * like ours: until that row is written, the remote looks taken.
 */
import { randomBytes } from 'node:crypto';
import { SignalboxError } from '../../domain/errors.js';
import { ourIdent } from '../../domain/merge-queue/commit.js';
import type { RepoFacts } from '../../domain/repos.js';
import { readCommit, writeCommit, type Gate } from './gate.js';
import { push, readRemote, type RefUpdate } from './remote.js';

/** The ref beside those of the tips. */
export const ownerRef = ({ tipPrefix }: Pick<RepoFacts, 'tipPrefix'>): string => tipPrefix.replace(/tip\/$/, 'owner');

export interface ClaimRequest {
  /** Id of this instance. */
  instance: string;
  /** The claim that is stored; null = none yet. */
  claim: string | null;
  /** Take the remote from the instance that has it. */
  takeOver: boolean;
  /** Goes with a take-over, so that what the other one is publishing fails as a whole. */
  fence: () => Promise<RefUpdate[]>;
}

export interface Claimed {
  /** The commit that says so. */
  owner: string;
  /** When it was made, and a random word: makes the same commit again. */
  claim: string;
  /** It is another claim than the stored one: what base has till now is none of ours. */
  tookOver: boolean;
}

/**
 * Makes the remote ours; `refused`: the rule by which the remote takes no such ref. Throws `conflict` where another
 * instance has it.
 */
export async function claimRemote(gate: Gate, request: ClaimRequest): Promise<Claimed | { refused: string }> {
  const { instance, takeOver } = request;
  const ref = ownerRef(gate.repo.facts);
  const found = (await readRemote(gate, [ref])).get(ref) ?? null;
  const there = found === null ? null : readClaim((await readCommit(gate, found)).message);
  if (found !== null && there?.instance === instance) {
    const tookOver = request.claim !== null && request.claim !== there.claim;
    return { owner: found, claim: there.claim, tookOver };
  }
  if (there !== null && !takeOver) throw ownedBy(there);
  // A ref that somebody removed comes back as it was.
  const now = gate.host.now().toISOString();
  const claim = (found === null ? request.claim : null) ?? `${now} ${randomBytes(4).toString('hex')}`;
  const owner = await writeClaim(gate, { instance, claim });
  const pushed = await push(gate, [
    { ref, oid: owner, expect: found },
    ...(found === null ? [] : await request.fence()),
  ]);
  if ((await readRemote(gate, [ref])).get(ref) === owner) return { owner, claim, tookOver: found !== null };
  if (pushed.kind === 'refused') return { refused: `${ref}: ${pushed.reason}` };
  throw new SignalboxError('conflict', 'another instance is taking this remote on at the same time', { retryAfter: 1 });
}

interface Owner {
  instance: string;
  claim: string;
}

const readClaim = (message: string): Owner => ({
  instance: /^Signalbox-Instance: (.+)$/m.exec(message)?.[1] ?? 'without a name',
  claim: /^Signalbox-Claim: (.+)$/m.exec(message)?.[1] ?? '',
});

async function writeClaim(gate: Gate, { instance, claim }: Owner): Promise<string> {
  const ident = ourIdent(Math.floor(Date.parse(claim.split(' ')[0] ?? '') / 1000));
  return writeCommit(gate, {
    ...{ tree: await gate.text(['mktree'], { input: '' }), parents: [], author: ident, committer: ident },
    encoding: null,
    message: `The instance that lands here\n\nSignalbox-Instance: ${instance}\nSignalbox-Claim: ${claim}\n`,
  });
}

function ownedBy({ instance, claim }: Owner): SignalboxError {
  const since = claim === '' ? '' : `, since ${claim.split(' ')[0] ?? ''}`;
  const text = `another Signalbox instance lands on this remote (${instance}${since})`;
  const mend = 'if it no longer does, take the remote over (takeOver, --take-over)';
  return new SignalboxError('conflict', `${text}; ${mend}`, { faults: [{ field: 'remote', message: text }] });
}

/** Refs as they were read, the one of the owner among them: whether the remote is another's, or not yet ours again. */
export function takenOver(gate: Gate, found: ReadonlyMap<string, string>): boolean {
  const { owner } = gate.repo.facts;
  const there = found.get(ownerRef(gate.repo.facts));
  return owner !== undefined && there !== undefined && there !== owner;
}
