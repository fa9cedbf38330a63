import { SignalboxError } from '../../domain/errors.js';
import { branchFault, checkRemote } from '../../domain/remotes.js';
import type { Repo, RepoConfig } from '../../domain/repos.js';
import { deleteRepo, findRepoByRemote, insertRepo, listRepos, updateRepo } from '../../store/repos.js';
import { audited } from '../audited.js';
import { principalOf, requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf } from '../lookups.js';
import { readPipeline } from '../pipelines.js';
import { readConfig, showRepo } from '../repo-requests.js';
import { RepoParams } from '../schemas/common.js';
import { CreateRepo, PatchRepo, RepoAnswer, RepoList } from '../schemas/repos.js';
import { sameValue } from '../same-value.js';

function refuse(code: 'invalid-request' | 'not-acceptable', field: string, value: string, message: string): never {
  throw new SignalboxError(code, `${field}: ${message}`, { faults: [{ field, value, message }] });
}

/** The address, which may hold what must not be echoed (a password) only where it is accepted. */
function readRemote(remote: string): string {
  const checked = checkRemote(remote);
  if (checked.ok) return checked.address.url;
  throw new SignalboxError('not-acceptable', `remote: ${checked.reason}`, {
    faults: [{ field: 'remote', message: checked.reason }],
  });
}

function same(repo: Repo, wanted: { remoteKey: string; base: string; prefix: string; config: RepoConfig }): boolean {
  return (
    repo.remoteKey === wanted.remoteKey &&
    repo.base === wanted.base &&
    repo.prefix === wanted.prefix &&
    sameValue(repo.config, wanted.config)
  );
}

async function addRepo(deps: ApiDeps, body: CreateRepo): Promise<{ repo: Repo; created: boolean }> {
  const remote = readRemote(body.remote);
  const base = body.base ?? 'main';
  const fault = branchFault(base);
  if (fault !== null) refuse('invalid-request', 'base', base, fault);
  const prefix = body.workItemPrefix ?? 'ET';
  const draft = readConfig(body, null, null);
  const config = { ...draft, pipeline: await readPipeline(deps, body.pipeline, draft.checks) };
  const found = await deps.adoptRemote({ remote, base, auth: config.auth, checkout: config.checkout });
  const other = await findRepoByRemote(deps.pool, found.remoteKey, base);
  if (other !== null && other.id !== body.id) {
    throw new SignalboxError('conflict', `this remote and base branch belong to the repository ${other.id}`);
  }
  const wanted = { id: body.id, remote, base, prefix, config, ...found };
  const result = await insertRepo(deps.pool, wanted);
  if (!result.created && !same(result.repo, wanted)) {
    throw new SignalboxError('conflict', `the repository ${body.id} exists with other content; use PATCH to change it`);
  }
  return result;
}

export function repoRoutes(app: App, deps: ApiDeps): void {
  const tags = ['repositories'];
  app.post(
    '/api/repos',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'Register a repository',
        body: CreateRepo,
        response: { 200: RepoAnswer, 201: RepoAnswer },
      },
    },
    async (request, reply) => {
      const { body } = request;
      requireRepo(request, body.id);
      const action = { action: 'repo.add', subject: body.id };
      const { repo, created } = await audited(deps, request, action, () => addRepo(deps, body));
      return reply.code(created ? 201 : 200).send(showRepo(repo));
    },
  );
  app.get(
    '/api/repos',
    { config: { scope: 'tasks:read' }, schema: { tags, summary: 'Repositories', response: { 200: RepoList } } },
    async (request) => ({ items: (await listRepos(deps.pool, principalOf(request).repos)).map(showRepo), next: null }),
  );
  app.get(
    '/api/repos/:repo',
    {
      config: { scope: 'tasks:read' },
      schema: { tags, summary: 'A repository', params: RepoParams, response: { 200: RepoAnswer } },
    },
    async (request) => showRepo(await repoOf(deps, request.params.repo)),
  );
  app.patch(
    '/api/repos/:repo',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'Change a repository',
        params: RepoParams,
        body: PatchRepo,
        response: { 200: RepoAnswer },
      },
    },
    async (request) => {
      const id = request.params.repo;
      const { body } = request;
      return audited(deps, request, { action: 'repo.change', subject: id }, async () => {
        const repo = await repoOf(deps, id);
        const draft = readConfig(body, repo.config, null);
        const pipeline =
          body.pipeline === undefined ? repo.config.pipeline : await readPipeline(deps, body.pipeline, draft.checks);
        const config = { ...draft, pipeline };
        const probe = body.auth !== undefined || body.checkout !== undefined;
        const facts = probe
          ? (
              await deps.adoptRemote({
                remote: repo.remote,
                base: repo.base,
                auth: config.auth,
                checkout: config.checkout,
              })
            ).facts
          : repo.facts;
        const changed = await updateRepo(deps.pool, id, { config, facts });
        if (changed === null) throw new SignalboxError('not-found', `there is no repository ${id}`);
        return showRepo(changed);
      });
    },
  );
  app.delete(
    '/api/repos/:repo',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'Forget a repository without live tasks',
        params: RepoParams,
        response: { 200: RepoAnswer },
      },
    },
    async (request) => {
      const id = request.params.repo;
      return audited(deps, request, { action: 'repo.remove', subject: id }, async () => {
        const repo = await repoOf(deps, id);
        await deleteRepo(deps.pool, id);
        return showRepo(repo);
      });
    },
  );
}
