/** Takes a remote on: finds out what it is and whether it takes what landing needs, and sets the adoption point. */
import { realpath, rm } from 'node:fs/promises';
import { SignalboxError } from '../../domain/errors.js';
import { checkRemote, pathKey } from '../../domain/remotes.js';
import type { Repo, RepoAuth, RepoFacts } from '../../domain/repos.js';
import { contentId } from '../../domain/content-id.js';
import { authFault } from './auth.js';
import { fenceUpdate } from './fence.js';
import { withGate, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { claimRemote } from './owner.js';
import { baseRef, listRemote, openRemote, push, readRemote, tipRef, type RefUpdate, type Remote } from './remote.js';
import { gitDirOf } from './stale-locks.js';

export interface AdoptRequest {
  remote: string;
  base: string;
  auth: RepoAuth;
  checkout: null | 'update';
  /** Id of this instance. */
  instance: string;
  /** The claim of ours that is stored; null = none. */
  claim: string | null;
  /** Take the remote from another instance that lands on it. */
  takeOver?: boolean;
}

export interface Adoption {
  facts: RepoFacts;
  /** Base now: where the audit begins. */
  adoptedAt: string;
  /** It is another claim than the stored one: another instance had it until now. */
  tookOver: boolean;
  /** Equal for all spellings of this remote. */
  remoteKey: string;
}

const CUSTOM = { headsPrefix: 'refs/signalbox/heads/', tipPrefix: 'refs/signalbox/tip/' } as const;
const FALLBACK = { headsPrefix: 'refs/heads/signalbox/heads/', tipPrefix: 'refs/tags/signalbox/tip/' } as const;

/**
 * Throws `not-acceptable` (a hostile address, a remote that refuses what landing needs) or `unreachable-remote` with
 * git's reason, `conflict` where another instance lands on it. Safe to repeat: a tip ref that is there is kept.
 */
export async function adoptRemote(host: GitHost, request: AdoptRequest): Promise<Adoption> {
  const checked = checkRemote(request.remote);
  if (!checked.ok)
    throw new SignalboxError('not-acceptable', `remote: ${checked.reason}`, fault('remote', checked.reason));
  const remote = await openRemote(host, request.remote, request.auth);
  const key = remote.local ? pathKey(await realDirectory(remote.url)) : checked.address.key;
  const refs = await reach(host, remote, request.auth);
  const adoptedAt = refs.get(`refs/heads/${request.base}`);
  if (adoptedAt === undefined) {
    const what = refs.size === 0 ? 'the repository is empty' : `there is no branch ${request.base}`;
    throw new SignalboxError('unreachable-remote', what, fault('base', what));
  }
  const checkedOut = remote.local && (await headBranch(host, remote)) === `refs/heads/${request.base}`;
  if (request.checkout === 'update' && !checkedOut) {
    const reason = 'only for a path with a work tree that has the base branch checked out';
    throw new SignalboxError('not-acceptable', `checkout: ${reason}`, fault('checkout', reason));
  }
  const facts = { local: remote.local, checkedOut };
  const taken = await probe(host, provisional(request, key, { ...CUSTOM, ...facts }), request);
  return { facts: { ...taken.facts, ...facts }, adoptedAt: taken.base, tookOver: taken.tookOver, remoteKey: key };
}

const fault = (field: string, message: string): { faults: { field: string; message: string }[] } => ({
  faults: [{ field, message }],
});

async function reach(host: GitHost, remote: Remote, auth: RepoAuth): Promise<Map<string, string>> {
  try {
    return await listRemote(host, remote, []);
  } catch (err) {
    if (!(err instanceof SignalboxError) || err.code !== 'git-infrastructure') throw err;
    const refused = remote.local ? null : authFault(auth, err.message);
    if (refused !== null) throw refused;
    throw new SignalboxError('unreachable-remote', err.message, fault('remote', err.message), { cause: err });
  }
}

async function realDirectory(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (err) {
    throw new SignalboxError('unreachable-remote', `${directory} does not exist`, fault('remote', 'no such path'), {
      cause: err,
    });
  }
}

/** The branch that a work tree has checked out; null for a bare repository. */
async function headBranch(host: GitHost, remote: Remote): Promise<string | null> {
  const gitDir = await gitDirOf(remote.url);
  if (gitDir === remote.url) return null;
  const head = await host.git.run(['symbolic-ref', '-q', 'HEAD'], { gitDir, answers: [0, 1] });
  return head.stdout.trim() || null;
}

/** Writes what landing needs, as far as it must be there: the tip ref stays, a probe of a head is taken away. */
async function probe(host: GitHost, repo: Repo, request: AdoptRequest): Promise<Taken> {
  return withGate(host, repo, async (gate) => {
    try {
      const reasons: string[] = [];
      for (const prefixes of [CUSTOM, FALLBACK]) {
        const named: Gate = { ...gate, repo: { ...repo, facts: { ...repo.facts, ...prefixes } } };
        const refused = await probeWith(named, request);
        if (typeof refused !== 'string') return refused;
        reasons.push(refused);
      }
      const reason = reasons.join('; ');
      throw new SignalboxError(
        'not-acceptable',
        `the remote refuses what landing needs: ${reason}`,
        fault('remote', reason),
      );
    } finally {
      await rm(gate.dir, { recursive: true, force: true });
    }
  });
}

interface Taken {
  facts: Pick<RepoFacts, 'headsPrefix' | 'tipPrefix'> & Required<Pick<RepoFacts, 'owner' | 'claim'>>;
  tookOver: boolean;
  /** Base, read when nobody else could land any more. */
  base: string;
}

/** What was found, or the rule that refuses a ref that landing needs. */
async function probeWith(gate: Gate, { instance, claim, takeOver = false }: AdoptRequest): Promise<Taken | string> {
  const { headsPrefix, tipPrefix } = gate.repo.facts;
  const tip = tipRef(gate.repo);
  const base = baseRef(gate.repo);
  const fence = (): Promise<RefUpdate[]> => fenceUpdate(gate);
  // The first question: what another instance has is not written to.
  const claimed = await claimRemote(gate, { instance, claim, takeOver, fence });
  if ('refused' in claimed) return claimed.refused;
  const found = await readRemote(gate, [base, tip]);
  const oid = found.get(base);
  if (oid === undefined) throw new SignalboxError('unreachable-remote', `there is no branch ${gate.repo.base}`);
  if (!found.has(tip)) {
    const pushed = await push(gate, [{ ref: tip, oid, expect: null }]);
    if (!(await listRemote(gate.host, gate.remote, [tip])).has(tip)) return `${tip}: ${reasonOf(pushed)}`;
  }
  // A head as an agent's would be, gone again at once.
  const probeRef = `${headsPrefix}probe-${contentId(tip, Date.now(), process.pid).slice(0, 12)}`;
  const made = await push(gate, [{ ref: probeRef, oid, expect: null }]);
  if (made.kind !== 'pushed') return `${headsPrefix}…: ${reasonOf(made)}`;
  const removed = await push(gate, [{ ref: probeRef, oid: '', expect: oid }]);
  if (removed.kind !== 'pushed') return `heads cannot be removed again: ${reasonOf(removed)}`;
  return {
    facts: { headsPrefix, tipPrefix, owner: claimed.owner, claim: claimed.claim },
    tookOver: claimed.tookOver,
    base: oid,
  };
}

const reasonOf = (pushed: Awaited<ReturnType<typeof push>>): string =>
  pushed.kind === 'pushed' ? 'it took the ref and does not show it' : pushed.reason;

/** A repository that is not registered yet, with a gate of its own name. */
function provisional(request: AdoptRequest, key: string, facts: RepoFacts): Repo {
  return {
    ...{ id: `.adopt-${contentId(key, request.base)}`, remote: request.remote, remoteKey: key, base: request.base },
    ...{ prefix: 'X', facts, adoptedAt: '', createdAt: '' },
    config: {
      ...{ auth: request.auth, merge: { strategy: 'auto' }, checkout: request.checkout },
      ...{ setup: null, checks: [], pipeline: null },
    },
  };
}
