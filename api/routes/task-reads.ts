import type { FastifyReply } from 'fastify';
import { SignalboxError } from '../../domain/errors.js';
import { taskName } from '../../domain/tasks.js';
import { listCheckRuns } from '../../store/jobs.js';
import { listRuns } from '../../store/runs.js';
import { readEvents } from '../../store/events.js';
import { principalOf } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf, taskOf } from '../lookups.js';
import { explainTask } from '../explain.js';
import { mergePreview } from '../merge-preview.js';
import { decodeIdCursor, DEFAULT_LIMIT, page } from '../pages.js';
import { showCheck, showRun } from '../run-answers.js';
import { MergePreview } from '../schemas/conflicts.js';
import { TaskParams } from '../schemas/common.js';
import { ArtifactParams, ArtifactQuery, DiffQuery, Explanation, PageQuery, Timeline } from '../schemas/tasks.js';
import { CheckList, RunList } from '../schemas/system.js';

/** Content of agents: shown as text, never interpreted by a browser. */
function sendText(reply: FastifyReply, content: Buffer | string): FastifyReply {
  return reply
    .type('text/plain; charset=utf-8')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "default-src 'none'; sandbox")
    .send(content);
}

export function taskReadRoutes(app: App, deps: ApiDeps): void {
  const tags = ['tasks'];
  const config = { scope: 'tasks:read' } as const;
  app.get(
    '/api/tasks/:repo/:workItem/explain',
    {
      config,
      schema: {
        tags,
        summary: 'What the task waits for, as a chain',
        params: TaskParams,
        response: { 200: Explanation },
      },
    },
    async (request) => {
      const task = await taskOf(deps, request.params);
      const repo = await repoOf(deps, task.repo);
      return explainTask(deps, task, repo.base, principalOf(request).repos);
    },
  );
  app.get(
    '/api/tasks/:repo/:workItem/timeline',
    {
      config,
      schema: {
        tags,
        summary: 'What happened, oldest first',
        params: TaskParams,
        querystring: PageQuery,
        response: { 200: Timeline },
      },
    },
    async (request) => {
      const task = await taskOf(deps, request.params);
      const limit = request.query.limit ?? DEFAULT_LIMIT;
      const after = decodeIdCursor(request.query.cursor) ?? 0;
      const subject = taskName(task.repo, task.workItem);
      const events = await readEvents(deps.pool, after, { subject, limit: limit + 1 });
      return page(events, limit, (event) => [String(event.id)]);
    },
  );
  app.get(
    '/api/tasks/:repo/:workItem/runs',
    {
      config,
      schema: { tags, summary: 'Runs of agents, oldest first', params: TaskParams, response: { 200: RunList } },
    },
    async (request) => {
      const task = await taskOf(deps, request.params);
      return { items: (await listRuns(deps.pool, task.repo, task.workItem)).map(showRun), next: null };
    },
  );
  app.get(
    '/api/tasks/:repo/:workItem/checks',
    {
      config,
      schema: { tags, summary: 'Executions of checks, oldest first', params: TaskParams, response: { 200: CheckList } },
    },
    async (request) => {
      const task = await taskOf(deps, request.params);
      return { items: (await listCheckRuns(deps.pool, task.repo, task.workItem)).map(showCheck), next: null };
    },
  );
  app.get(
    '/api/tasks/:repo/:workItem/artifacts/:stage',
    {
      config,
      schema: { tags, summary: 'The document a stage wrote', params: ArtifactParams, querystring: ArtifactQuery },
    },
    async (request, reply) => {
      const task = await taskOf(deps, request.params);
      const repo = await repoOf(deps, task.repo);
      const { stage: name } = request.params;
      const named = task.pipeline.stages.find((stage) => stage.name === name);
      // The document of an approval is that of the stage it is of.
      const stage = named?.kind === 'approval' ? task.pipeline.stages.find((s) => s.name === named.of) : named;
      if (stage?.kind !== 'agent' || stage.artifact === null) {
        throw new SignalboxError('not-found', `stage ${name} of this task writes no document`);
      }
      const sha = request.query.sha ?? task.waitingOn?.artifact?.sha ?? task.head;
      if (sha === null) throw new SignalboxError('not-found', 'there is no commit of this task yet');
      const path = stage.artifact.replaceAll('{workItem}', task.workItem);
      const content = await deps.gitReader.artifact(repo, sha, path);
      if (content === null) throw new SignalboxError('not-found', `there is no ${path} in ${sha}`);
      return sendText(reply.header('x-signalbox-path', encodeURI(path)).header('x-signalbox-sha', sha), content);
    },
  );
  app.get(
    '/api/tasks/:repo/:workItem/merge-preview',
    {
      config,
      schema: {
        tags,
        summary: 'What landing the task’s branch now would come to; says why where that cannot be told',
        params: TaskParams,
        response: { 200: MergePreview },
      },
    },
    async (request) => {
      const task = await taskOf(deps, request.params);
      return mergePreview(deps, await repoOf(deps, task.repo), task);
    },
  );
  app.get(
    '/api/tasks/:repo/:workItem/diff',
    {
      config,
      schema: {
        tags,
        summary: 'What the task’s branch changes, as a diff against base',
        params: TaskParams,
        querystring: DiffQuery,
      },
    },
    async (request, reply) => {
      const task = await taskOf(deps, request.params);
      const repo = await repoOf(deps, task.repo);
      if (task.head === null) return sendText(reply, '');
      // What landed is compared with what it landed on: base contains it by now.
      const base = task.landed?.base ?? (await deps.gitReader.tip(repo, repo.base));
      if (base === null) throw new SignalboxError('not-found', `the remote has no branch ${repo.base}`);
      return sendText(reply, await deps.gitReader.diff(repo, task.head, base));
    },
  );
}
