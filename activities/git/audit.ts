/**
 * Reads what the audit of a base branch needs from the remote. It changes nothing there, and it holds the lock of the
 * gate only for short pieces, so that landings go on meanwhile.
 */
import { SignalboxError } from '../../domain/errors.js';
import { landingsIn } from '../../domain/merge-queue/audit-claims.js';
import type { AuditHistory } from '../../domain/merge-queue/audit-types.js';
import { identSeconds } from '../../domain/merge-queue/commit.js';
import type { Repo } from '../../domain/repos.js';
import { makeAllAgain } from './again.js';
import { hasObject, isAncestor, readCommit, withGate, type Gate } from './gate.js';
import { listCommits, OID, OURS, readBaseAndTip, readHistoryCommits } from './history.js';
import type { GitHost } from './host.js';

export interface HistoryRequest {
  base: string;
  /** Begin after this commit of base; null = after the adoption. */
  since: string | null;
  /** Commits of which the audit wants to know whether base has them. */
  asked: readonly string[];
}

/** Throws `not-found` without the branch, `not-acceptable` for a `since` that is not in it. */
export async function readHistory(host: GitHost, repo: Repo, request: HistoryRequest): Promise<AuditHistory> {
  const history = await withGate(host, repo, (gate) => read(gate, request));
  const landings = landingsIn({ repo: repo.id, base: request.base }, history.commits, history.from);
  return { ...history, again: await makeAllAgain(host, repo, request.base, landings) };
}

async function read(gate: Gate, { base, since, asked }: HistoryRequest): Promise<AuditHistory> {
  const { to, tip } = await readBaseAndTip(gate, base);
  const from = since ?? gate.repo.adoptedAt;
  if (since !== null && !(await isAncestor(gate, since, to))) throw notInBase(base, since);
  const but = (await hasObject(gate, from)) ? [`^${from}`] : [];
  const line = await listCommits(gate, ['--first-parent', to, ...but]);
  const onLine = new Set(line);
  const aside = (await listCommits(gate, [...OURS, to, ...but])).filter((oid) => !onLine.has(oid));
  const lost = tip === null ? [] : await listCommits(gate, [...OURS, tip, `^${to}`, ...but]);
  const sinceSeconds = since === null ? null : identSeconds((await readCommit(gate, since)).committer);
  return {
    ...{ from, to, tip, again: {} },
    commits: await readHistoryCommits(gate, base, [...aside, ...line], onLine),
    notInTip: tip === null ? [] : await listCommits(gate, [to, `^${tip}`, ...but]),
    lost: await readHistoryCommits(gate, base, lost, onLine),
    absent: await absentFrom(gate, to, [from, ...asked]),
    recordedSince: sinceSeconds ?? 0,
    rememberedSince: sinceSeconds ?? Math.floor(Date.parse(gate.repo.createdAt) / 1000),
  };
}

const notInBase = (base: string, since: string): SignalboxError => {
  const message = `the history of ${base} has no commit ${since}`;
  return new SignalboxError('not-acceptable', message, { faults: [{ field: 'since', value: since, message }] });
};

/** Those of the commits that are not in the history of `to`. */
async function absentFrom(gate: Gate, to: string, asked: readonly string[]): Promise<string[]> {
  const unique = [...new Set(asked)];
  const named = unique.filter((oid) => OID.test(oid));
  const infos = await gate.objects.info(named);
  const here = new Set(named.filter((_, i) => infos[i]?.type === 'commit'));
  const input = [...here, `^${to}`].map((line) => `${line}\n`).join('');
  const beyond = here.size === 0 ? '' : await gate.text(['rev-list', '--stdin'], { input });
  const missing = new Set(beyond.split('\n'));
  return unique.filter((oid) => !here.has(oid) || missing.has(oid));
}
