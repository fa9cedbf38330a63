import { SignalboxError } from '../../domain/errors.js';
import { transaction } from '../../store/db.js';
import { deleteHook, getHook, listHooks, putHook, type Hook } from '../../store/hooks.js';
import { audited } from '../audited.js';
import { principalOf, requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoNamed } from '../lookups.js';
import { refuse } from '../refuse.js';
import { HookAnswer, HookList, HookParams, PROJECT, PutHook } from '../schemas/hooks.js';

const showHook = ({ id, source, secrets, projects, createdAt, updatedAt }: Hook) => ({
  ...{ id, source, secretCount: secrets.length, projects, path: `/webhooks/${source}/${id}`, createdAt, updatedAt },
});

export function hookRoutes(app: App, deps: ApiDeps): void {
  const tags = ['hooks'];
  app.put(
    '/api/hooks/:id',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Make or replace a hook that a forge delivers to',
        params: HookParams,
        body: PutHook,
        response: { 200: HookAnswer, 201: HookAnswer },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { source, secrets, projects = {} } = request.body;
      for (const [project, repo] of Object.entries(projects)) {
        requireRepo(request, repo);
        // The schema of a record lets names pass that are not of its pattern.
        if (PROJECT.test(project)) continue;
        refuse('invalid-request', `projects.${project}`, repo, 'must be named as the forge does: owner/name');
      }
      const { hook, created } = await audited(deps, request, { action: 'hook.set', subject: id }, async () => {
        // Whoever replaces a hook ends what it delivered so far.
        const before = await getHook(deps.pool, id);
        for (const repo of Object.values(before?.projects ?? {})) requireRepo(request, repo);
        for (const [project, repo] of Object.entries(projects)) await repoNamed(deps, `projects.${project}`, repo);
        return putHook(deps.pool, { id, source, secrets, projects });
      });
      if (hook === null) throw new SignalboxError('internal', `the hook ${id} was not stored`);
      return reply.code(created ? 201 : 200).send(showHook(hook));
    },
  );
  app.get(
    '/api/hooks',
    { config: { scope: 'admin' }, schema: { tags, summary: 'Hooks, without secrets', response: { 200: HookList } } },
    async (request) => {
      const { repos } = principalOf(request);
      const mayKnow = ({ projects }: Hook): boolean =>
        repos === null || Object.values(projects).every((repo) => repos.includes(repo));
      return { items: (await listHooks(deps.pool)).filter(mayKnow).map(showHook), next: null };
    },
  );
  app.delete(
    '/api/hooks/:id',
    {
      config: { scope: 'admin' },
      schema: { tags, summary: 'Take no more deliveries', params: HookParams, response: { 200: HookAnswer } },
    },
    async (request) => {
      const { id } = request.params;
      return audited(deps, request, { action: 'hook.remove', subject: id }, async () => {
        const hook = await getHook(deps.pool, id);
        if (hook === null) throw new SignalboxError('not-found', `there is no hook ${id}`);
        for (const repo of Object.values(hook.projects)) requireRepo(request, repo);
        await transaction(deps.pool, (tx) => deleteHook(tx, id));
        return showHook(hook);
      });
    },
  );
}
