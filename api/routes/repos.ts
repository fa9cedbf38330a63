import { deleteRepo, listRepos } from '../../store/repos.js';
import { audited } from '../audited.js';
import { principalOf, requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf } from '../lookups.js';
import { addRepo, changeRepo } from '../repo-changes.js';
import { showRepo } from '../repo-requests.js';
import { RepoParams } from '../schemas/common.js';
import { CreateRepo, PatchRepo, RepoAnswer, RepoList } from '../schemas/repos.js';

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
      const action = { action: 'repo.change', subject: id };
      return showRepo(await audited(deps, request, action, () => changeRepo(deps, id, body)));
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
