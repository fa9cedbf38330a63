import { branchFault } from '../../domain/remotes.js';
import { taskName } from '../../domain/tasks.js';
import { transaction } from '../../store/db.js';
import { createTask } from '../../store/task-intake.js';
import { findTaskByExternal, listTasks, patchTask, type Task } from '../../store/tasks.js';
import { audited } from '../audited.js';
import { principalOf, requireRepo } from '../auth.js';
import type { App } from '../context.js';
import { dependenciesOf } from '../dependencies.js';
import type { ApiDeps } from '../deps.js';
import { repoNamed, taskOf } from '../lookups.js';
import { pipelineOfTask } from '../pipelines.js';
import { refuse } from '../refuse.js';
import { TaskParams } from '../schemas/common.js';
import { CreateTask, PatchTask, TaskAnswer, TaskList, TaskQuery } from '../schemas/tasks.js';
import { showOneTask, showTasks } from '../task-answers.js';

/** Both or neither: half a key would make a second task on the next delivery. */
function readExternal(body: CreateTask): { source: string | null; externalId: string | null } {
  const source = body.source ?? null;
  const externalId = body.externalId ?? null;
  if (source !== null && externalId === null) refuse('not-acceptable', 'externalId', null, 'is needed with source');
  if (externalId !== null && source === null) refuse('not-acceptable', 'source', null, 'is needed with externalId');
  return { source, externalId };
}

async function submit(
  deps: ApiDeps,
  body: CreateTask,
  by: string,
  may: (repo: string) => void,
): Promise<{ task: Task; created: boolean }> {
  const { source, externalId } = readExternal(body);
  const repo = await repoNamed(deps, 'repo', body.repo);
  const branch = body.branch ?? null;
  const fault = branch === null ? null : branchFault(branch, repo.base);
  if (fault !== null) refuse('invalid-request', 'branch', branch, fault);
  // Before the pipeline is looked at: what was accepted once stays accepted.
  if (source !== null && externalId !== null) {
    const known = await findTaskByExternal(deps.pool, source, externalId);
    if (known !== null) return { task: known, created: false };
  }
  return createTask(deps.pool, {
    repo: repo.id,
    prefix: repo.prefix,
    title: body.title.trim(),
    description: body.description ?? '',
    source,
    externalId,
    number: body.number ?? null,
    branch,
    priority: body.priority ?? 'normal',
    pipeline: await pipelineOfTask(deps, repo, body.pipeline),
    maxAttempts: body.maxAttempts ?? null,
    dependsOn: dependenciesOf(body, repo, may),
    submittedBy: by,
  });
}

export function taskRoutes(app: App, deps: ApiDeps): void {
  const tags = ['tasks'];
  app.post(
    '/api/tasks',
    {
      config: { scope: 'tasks:write' },
      schema: {
        tags,
        summary: 'Hand in a task; the same source and externalId again gives the same task',
        body: CreateTask,
        response: { 200: TaskAnswer, 201: TaskAnswer },
      },
    },
    async (request, reply) => {
      const { body } = request;
      requireRepo(request, body.repo);
      const action = { action: 'task.submit', subject: body.repo, detail: {} as Record<string, unknown> };
      const { task, created } = await audited(deps, request, action, async () => {
        const result = await submit(deps, body, principalOf(request).name, (repo) => {
          requireRepo(request, repo);
        });
        requireRepo(request, result.task.repo);
        action.subject = taskName(result.task.repo, result.task.workItem);
        action.detail.created = result.created;
        return result;
      });
      return reply.code(created ? 201 : 200).send(await showOneTask(deps, task));
    },
  );
  app.get(
    '/api/tasks',
    {
      config: { scope: 'tasks:read' },
      schema: { tags, summary: 'Tasks, newest first', querystring: TaskQuery, response: { 200: TaskList } },
    },
    async (request) => {
      const { repo } = request.query;
      if (repo !== undefined) {
        requireRepo(request, repo);
        await repoNamed(deps, 'repo', repo);
      }
      const { items, next } = await listTasks(deps.pool, { ...request.query, repos: principalOf(request).repos });
      return { items: await showTasks(deps, items), next };
    },
  );
  app.get(
    '/api/tasks/:repo/:workItem',
    {
      config: { scope: 'tasks:read' },
      schema: { tags, summary: 'A task', params: TaskParams, response: { 200: TaskAnswer } },
    },
    async (request) => showOneTask(deps, await taskOf(deps, request.params)),
  );
  app.patch(
    '/api/tasks/:repo/:workItem',
    {
      config: { scope: 'tasks:write' },
      schema: {
        tags,
        summary: 'Change words or priority of a live task',
        params: TaskParams,
        body: PatchTask,
        response: { 200: TaskAnswer },
      },
    },
    async (request) => {
      const { repo, workItem } = request.params;
      const { title, description, priority } = request.body;
      const action = { action: 'task.change', subject: taskName(repo, workItem), detail: { title, priority } };
      return audited(deps, request, action, async () => {
        const patch = {
          ...(title === undefined ? {} : { title: title.trim() }),
          ...(description === undefined ? {} : { description }),
          ...(priority === undefined ? {} : { priority }),
        };
        const task = await transaction(deps.pool, (tx) => patchTask(tx, repo, workItem, patch));
        return showOneTask(deps, task ?? (await taskOf(deps, request.params)));
      });
    },
  );
}
