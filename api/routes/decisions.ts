/** What people decide and wish: approve, reject, answer, cancel, retry, redo. */
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../../domain/errors.js';
import { NO_OVERRIDES } from '../../domain/pipeline/input.js';
import { mayBeginAt } from '../../domain/pipeline/permit.js';
import { taskName } from '../../domain/tasks.js';
import { findProfile } from '../../store/agent-profiles.js';
import { restartTask } from '../../store/task-intake.js';
import type { Task } from '../../store/tasks.js';
import { answer, cancelTask, redo, retry, type Actor } from '../../workflows/messages.js';
import { audited, type Action } from '../audited.js';
import { principalOf } from '../auth.js';
import type { App } from '../context.js';
import { actor, decide, isOver, settled } from '../decisions.js';
import type { ApiDeps } from '../deps.js';
import { taskOf } from '../lookups.js';
import { refuse } from '../refuse.js';
import { TaskParams } from '../schemas/common.js';
import { Answer, Cancel, Decide, DecidedTask, Nothing, Redo, Reject, TaskAnswer } from '../schemas/tasks.js';
import { showDecision, showOneTask } from '../task-answers.js';
import { sendUpdate } from '../updates.js';

/** A task that is over begins its next generation; the row is the arbiter, an outbox row starts the workflow. */
async function restart(deps: ApiDeps, request: FastifyRequest, task: Task, body: Redo | null): Promise<Task> {
  const { repo, workItem, generation } = task;
  if (body !== null && !mayBeginAt(task.pipeline, task.stage, body.stage)) {
    throw new SignalboxError('conflict', `${taskName(repo, workItem)} has not come to ${body.stage}`, {
      stage: task.stage,
    });
  }
  const startAt = body === null ? null : { stage: body.stage, overrides: { ...NO_OVERRIDES, ...overridesOf(body) } };
  return restartTask(deps.pool, { repo, workItem, generation, startAt, by: principalOf(request).name });
}

const overridesOf = ({ agent, model, effort, prompt }: Redo) => ({
  agent: agent ?? null,
  model: model ?? null,
  effort: effort ?? null,
  prompt: prompt ?? null,
});

/** A redo names a stage of this task, and an agent that there is. */
async function checkRedo(deps: ApiDeps, task: Task, body: Redo): Promise<void> {
  const stages = task.pipeline.stages.map((stage) => stage.name);
  if (!stages.includes(body.stage))
    refuse('not-acceptable', 'stage', body.stage, `must be one of ${stages.join(', ')}`);
  if (body.agent != null && (await findProfile(deps.pool, body.agent)) === null) {
    refuse(
      'not-acceptable',
      'agent',
      body.agent,
      `there is no such profile: signalbox agent-profile set ${body.agent} -- COMMAND…`,
    );
  }
}

export function decisionRoutes(app: App, deps: ApiDeps): void {
  const tags = ['decisions'];
  const path = (action: string): string => `/api/tasks/:repo/:workItem/${action}`;
  const actionOf = (request: { params: { repo: string; workItem: string } }, action: string) => ({
    action: `task.${action}`,
    subject: taskName(request.params.repo, request.params.workItem),
  });

  for (const verdict of ['approve', 'reject'] as const) {
    const summary =
      verdict === 'approve' ? 'Approve what a stage made' : 'Send the work back with a reason, or cancel with `final`';
    app.post(
      path(verdict),
      {
        config: { scope: 'decisions:write' },
        schema: {
          tags,
          summary,
          params: TaskParams,
          body: verdict === 'approve' ? Decide : Reject,
          response: { 200: DecidedTask },
        },
      },
      async (request) => {
        const { stage, sha, reason } = request.body;
        const action = { ...actionOf(request, verdict), detail: { stage, sha, reason } };
        return audited(deps, request, action, async (intent) => {
          const found = await taskOf(deps, request.params);
          const { decision, task } = await decide(deps, request, found, verdict, request.body, intent);
          return { ...(await showOneTask(deps, task)), decision: showDecision(decision) };
        });
      },
    );
  }

  /** What a wish does: the task as it is with it. `now` makes the actor of an update, with its deadline. */
  type Wish = (task: Task, now: (expiresAt: string) => Actor) => Promise<Task>;
  const wish = (request: FastifyRequest<{ Params: { repo: string; workItem: string } }>, action: Action, act: Wish) =>
    audited(deps, request, action, async (intent) => {
      const task = await taskOf(deps, request.params);
      return showOneTask(deps, await act(task, (expiresAt) => actor(request, intent, expiresAt)));
    });

  app.post(
    path('answer'),
    {
      config: { scope: 'decisions:write' },
      schema: {
        tags,
        summary: 'Answer what a task asks; continues with a fresh budget',
        params: TaskParams,
        body: Answer,
        response: { 200: TaskAnswer },
      },
    },
    (request) =>
      wish(request, actionOf(request, 'answer'), async (task, now) => {
        if (isOver(task)) throw new SignalboxError('conflict', `the task is ${task.state}`);
        await sendUpdate(deps, task, answer, (expiresAt) => ({ text: request.body.text, ...now(expiresAt) }));
        return settled(deps, task);
      }),
  );

  app.post(
    path('cancel'),
    {
      config: { scope: 'tasks:write' },
      schema: { tags, summary: 'Cancel a task', params: TaskParams, body: Cancel, response: { 200: TaskAnswer } },
    },
    (request) =>
      wish(request, actionOf(request, 'cancel'), async (task, now) => {
        if (task.state === 'cancelled') return task;
        if (isOver(task)) throw new SignalboxError('conflict', `the task is ${task.state}`);
        const reason = request.body.reason == null ? {} : { reason: request.body.reason };
        await sendUpdate(deps, task, cancelTask, (expiresAt) => ({ ...reason, ...now(expiresAt) }));
        return settled(deps, task);
      }),
  );

  app.post(
    path('retry'),
    {
      config: { scope: 'tasks:write' },
      schema: {
        tags,
        summary: 'Try again with a fresh budget; a task that is over begins anew',
        params: TaskParams,
        body: Nothing,
        response: { 200: TaskAnswer },
      },
    },
    (request) =>
      wish(request, actionOf(request, 'retry'), async (task, now) => {
        if (isOver(task)) return restart(deps, request, task, null);
        await sendUpdate(deps, task, retry, now);
        return settled(deps, task);
      }),
  );

  app.post(
    path('redo'),
    {
      config: { scope: 'tasks:write' },
      schema: {
        tags,
        summary: 'Do the work again from a stage on',
        params: TaskParams,
        body: Redo,
        response: { 200: TaskAnswer },
      },
    },
    (request) => {
      const { body } = request;
      const action = { ...actionOf(request, 'redo'), detail: { stage: body.stage } };
      return wish(request, action, async (task, now) => {
        await checkRedo(deps, task, body);
        if (isOver(task)) return restart(deps, request, task, body);
        await sendUpdate(deps, task, redo, (expiresAt) => ({
          stage: body.stage,
          ...overridesOf(body),
          ...now(expiresAt),
        }));
        return settled(deps, task);
      });
    },
  );
}
