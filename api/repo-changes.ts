/** Registering a repository, and changing one: the request, what its remote says, and what is stored, as one judgement. */
import { SignalboxError } from '../domain/errors.js';
import { branchFault, checkRemote, clearTextFault, type RemoteAddress } from '../domain/remotes.js';
import { needsForge, type Repo, type RepoAuth, type RepoConfig } from '../domain/repos.js';
import { transaction, type Db, type Tx } from '../store/db.js';
import { getRepo, findRepoByRemote, insertRepo, lockRepo, updateRepo } from '../store/repos.js';
import type { ApiDeps } from './deps.js';
import { repoOf } from './lookups.js';
import { judgeChecks, readPipeline } from './pipelines.js';
import { refuse } from './refuse.js';
import { readConfig } from './repo-requests.js';
import { sameValue } from './same-value.js';
import type { CreateRepo, PatchRepo } from './schemas/repos.js';

/** The address, which may hold what must not be echoed (a password) only where it is accepted. */
function readRemote(remote: string): RemoteAddress {
  const checked = checkRemote(remote);
  if (checked.ok) return checked.address;
  throw new SignalboxError('not-acceptable', `remote: ${checked.reason}`, {
    faults: [{ field: 'remote', message: checked.reason }],
  });
}

function refuseClearText(address: RemoteAddress, auth: RepoAuth): void {
  const fault = clearTextFault(address, auth.kind);
  if (fault !== null) refuse('not-acceptable', 'auth.kind', auth.kind, fault);
}

function same(repo: Repo, wanted: { remoteKey: string; base: string; prefix: string; config: RepoConfig }): boolean {
  return (
    repo.remoteKey === wanted.remoteKey &&
    repo.base === wanted.base &&
    repo.prefix === wanted.prefix &&
    sameValue(repo.config, wanted.config)
  );
}

export async function addRepo(deps: ApiDeps, body: CreateRepo): Promise<{ repo: Repo; created: boolean }> {
  const address = readRemote(body.remote);
  const remote = address.url;
  const base = body.base ?? 'main';
  const fault = branchFault(base);
  if (fault !== null) refuse('invalid-request', 'base', base, fault);
  const prefix = body.workItemPrefix ?? 'ET';
  const draft = readConfig(body, null, null);
  refuseClearText(address, draft.auth);
  const config = { ...draft, pipeline: await readPipeline(deps.pool, body.pipeline, draft.checks) };
  await deps.examineForge({ remote, base, config });
  const found = await deps.adoptRemote({
    remote,
    base,
    auth: config.auth,
    checkout: config.checkout,
    claim: (await getRepo(deps.pool, body.id))?.facts.claim ?? null,
    takeOver: body.takeOver ?? false,
  });
  const other = await findRepoByRemote(deps.pool, found.remoteKey, base);
  if (other !== null && other.id !== body.id) {
    throw new SignalboxError('conflict', `this remote and base branch belong to the repository ${other.id}`);
  }
  const wanted = { id: body.id, remote, base, prefix, config, ...found };
  const result = await insertRepo(deps.pool, wanted);
  if (!result.created && !same(result.repo, wanted)) {
    throw new SignalboxError('conflict', `the repository ${body.id} exists with other content; use PATCH to change it`);
  }
  if (result.created || !found.tookOver) return result;
  return { repo: await store(deps.pool, body.id, { adoptedAt: found.adoptedAt, facts: found.facts }), created: false };
}

const MAX_PROBES = 5;

/**
 * Changes what the request names, on top of the row as it is then: changes of different fields at once all stay. A remote
 * is asked outside of the transaction, so it is asked again when what it was asked with is no longer so.
 */
export async function changeRepo(deps: ApiDeps, id: string, body: PatchRepo): Promise<Repo> {
  const takeOver = body.takeOver ?? false;
  const asksRemote = body.auth !== undefined || body.checkout !== undefined || takeOver;
  const asksForge = [body.auth, body.forge, body.merge, body.checks].some((value) => value !== undefined);
  if (!asksRemote && !asksForge) {
    return transaction(deps.pool, async (tx) => {
      const { config } = await judged(tx, id, body);
      return store(tx, id, { config });
    });
  }
  for (let round = 1; round <= MAX_PROBES; round++) {
    const seen = await repoOf(deps, id);
    const draft = readConfig(body, seen.config, null);
    const asked = access(seen, draft);
    refuseClearText(readRemote(seen.remote), draft.auth);
    await deps.examineForge({ ...seen, config: draft });
    const found = asksRemote
      ? await deps.adoptRemote({ ...probe(seen, draft), claim: seen.facts.claim ?? null, takeOver })
      : null;
    // What the other instance landed is none of ours, whatever its tasks are called.
    const taken = found?.tookOver === true ? { adoptedAt: found.adoptedAt } : {};
    const changed = await transaction(deps.pool, async (tx) => {
      const { repo, config } = await judged(tx, id, body);
      const facts = found === null ? {} : { facts: found.facts };
      return sameValue(access(repo, config), asked) ? store(tx, id, { config, ...facts, ...taken }) : null;
    });
    if (changed !== null) return changed;
  }
  throw new SignalboxError('conflict', `${id} is being changed by others at the same time`, { retryAfter: 1 });
}

/** What a remote is asked with. */
const probe = ({ remote, base }: Repo, { auth, checkout }: RepoConfig) => ({ remote, base, auth, checkout });

/** What a remote and a forge are asked with. */
const access = (repo: Repo, config: RepoConfig) => ({
  ...probe(repo, config),
  ...{ forge: config.forge ?? null, needed: needsForge(config) },
});

/** The row, held, and the configuration that would be stored: its parts are judged together. */
async function judged(tx: Tx, id: string, body: PatchRepo): Promise<{ repo: Repo; config: RepoConfig }> {
  const repo = await lockRepo(tx, id);
  if (repo === null) throw new SignalboxError('not-found', `there is no repository ${id}`);
  const draft = readConfig(body, repo.config, null);
  if (body.pipeline !== undefined) {
    return { repo, config: { ...draft, pipeline: await readPipeline(tx, body.pipeline, draft.checks) } };
  }
  if (body.checks !== undefined) judgeChecks(repo.config.pipeline, draft.checks);
  return { repo, config: draft };
}

async function store(tx: Db, id: string, patch: Parameters<typeof updateRepo>[2]): Promise<Repo> {
  const changed = await updateRepo(tx, id, patch);
  if (changed === null) throw new SignalboxError('internal', `repository ${id} was not stored`);
  return changed;
}
