/**
 * What people decide. The workflow arbitrates and the row remembers: a commit that was decided is answered from the row,
 * whoever asks and whenever; anything else is an update that is heard within ten seconds or refused (503).
 */
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../../domain/errors.js';
import { NO_OVERRIDES } from '../../domain/pipeline/input.js';
import { taskName, TERMINAL_STATES, type Decision } from '../../domain/tasks.js';
import { writeAudit } from '../../store/audit.js';
import { listDecisions } from '../../store/decisions.js';
import { findProfile } from '../../store/agent-profiles.js';
import { restartTask } from '../../store/task-intake.js';
import type { Task } from '../../store/tasks.js';
import { answer, approve, cancelTask, redo, reject, retry } from '../../workflows/messages.js';
import { audited } from '../audited.js';
import { principalOf } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { TaskParams } from '../schemas/common.js';
import { Answer, Cancel, Decide, DecidedTask, Nothing, Redo, Reject, TaskAnswer } from '../schemas/tasks.js';
import { showDecision, showOneTask } from '../task-answers.js';
import { sendUpdate } from '../updates.js';
import { taskOf } from './tasks.js';

const isOver = (task: Task): boolean => TERMINAL_STATES.includes(task.state);

/** The audit row of the wish, written before it is sent: a workflow trusts an actor only with such a row. */
async function intent(
  deps: ApiDeps,
  request: FastifyRequest,
  task: Task,
  action: string,
): Promise<{ by: string; intent: number }> {
  const { name, tokenId } = principalOf(request);
  const id = await writeAudit(deps.pool, {
    actor: name,
    action: `task.${action}`,
    subject: taskName(task.repo, task.workItem),
    result: 'intended',
    detail: { token: tokenId },
  });
  return { by: name, intent: id };
}

interface DecisionBody {
  stage: string;
  sha: string;
  reason?: string | null;
  final?: boolean;
}

/** The decision that stands: of this generation, else the last one, unless this very commit is asked for again. */
async function recorded(deps: ApiDeps, task: Task, body: DecisionBody): Promise<Decision | null> {
  const all = await listDecisions(deps.pool, task.repo, task.workItem);
  const same = all.filter((decision) => decision.stage === body.stage && decision.sha === body.sha);
  const now = same.find((decision) => decision.generation === task.generation);
  const waits = task.waitingOn?.kind === 'approval' && task.waitingOn.artifact?.sha === body.sha;
  return now ?? (waits ? null : (same.at(-1) ?? null));
}

/** Names what is current, so that the caller can look at it and decide again. */
function stale(task: Task, body: DecisionBody): SignalboxError {
  const waits = task.waitingOn?.kind === 'approval' ? task.waitingOn : null;
  const current =
    waits === null ? null : { stage: task.stage, sha: waits.artifact?.sha ?? null, path: waits.artifact?.path ?? null };
  const detail =
    current === null
      ? `the task does not wait for an approval: it is ${task.state} in stage ${task.stage}`
      : `stage ${body.stage} at ${body.sha} is not what waits: that is stage ${current.stage} at ${String(current.sha)}`;
  return new SignalboxError('stale-decision', detail, { current });
}

async function decide(
  deps: ApiDeps,
  request: FastifyRequest,
  task: Task,
  verdict: 'approve' | 'reject',
  body: DecisionBody,
): Promise<Decision> {
  const known = await recorded(deps, task, body);
  if (known !== null) return known;
  if (isOver(task)) throw stale(task, body);
  const input = {
    stage: body.stage,
    sha: body.sha,
    ...(body.reason == null ? {} : { reason: body.reason }),
    ...(body.final === undefined ? {} : { final: body.final }),
    ...(await intent(deps, request, task, verdict)),
  };
  try {
    return await sendUpdate(deps, task, verdict === 'approve' ? approve : reject, input);
  } catch (err) {
    // Taken at the last moment, or by somebody else meanwhile: the row says so.
    const meanwhile = await recorded(deps, task, body);
    if (meanwhile !== null) return meanwhile;
    if (err instanceof SignalboxError && err.code === 'stale-decision' && err.data.current === undefined) {
      throw stale(await taskOf(deps, task), body);
    }
    throw err;
  }
}

/** A task that is over begins its next generation; the row is the arbiter, an outbox row starts the workflow. */
async function restart(deps: ApiDeps, request: FastifyRequest, task: Task, body: Redo | null): Promise<Task> {
  const { repo, workItem, generation } = task;
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
  const refuse = (field: string, value: unknown, message: string): never => {
    throw new SignalboxError('not-acceptable', `${field}: ${message}`, { faults: [{ field, value, message }] });
  };
  const stages = task.pipeline.stages.map((stage) => stage.name);
  if (!stages.includes(body.stage)) refuse('stage', body.stage, `must be one of ${stages.join(', ')}`);
  if (body.agent != null && (await findProfile(deps.pool, body.agent)) === null) {
    refuse('agent', body.agent, `there is no such profile: signalbox agent-profile set ${body.agent} -- COMMAND…`);
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
        return audited(deps, request, action, async () => {
          const task = await taskOf(deps, request.params);
          const decision = await decide(deps, request, task, verdict, request.body);
          return { ...(await showOneTask(deps, await taskOf(deps, request.params))), decision: showDecision(decision) };
        });
      },
    );
  }

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
    async (request) =>
      audited(deps, request, actionOf(request, 'answer'), async () => {
        const task = await taskOf(deps, request.params);
        if (isOver(task)) throw new SignalboxError('conflict', `the task is ${task.state}`);
        await sendUpdate(deps, task, answer, {
          text: request.body.text,
          ...(await intent(deps, request, task, 'answer')),
        });
        return showOneTask(deps, await taskOf(deps, request.params));
      }),
  );

  app.post(
    path('cancel'),
    {
      config: { scope: 'tasks:write' },
      schema: { tags, summary: 'Cancel a task', params: TaskParams, body: Cancel, response: { 200: TaskAnswer } },
    },
    async (request) =>
      audited(deps, request, actionOf(request, 'cancel'), async () => {
        const task = await taskOf(deps, request.params);
        if (task.state === 'cancelled') return showOneTask(deps, task);
        if (isOver(task)) throw new SignalboxError('conflict', `the task is ${task.state}`);
        const reason = request.body.reason == null ? {} : { reason: request.body.reason };
        await sendUpdate(deps, task, cancelTask, { ...reason, ...(await intent(deps, request, task, 'cancel')) });
        return showOneTask(deps, await taskOf(deps, request.params));
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
    async (request) =>
      audited(deps, request, actionOf(request, 'retry'), async () => {
        const task = await taskOf(deps, request.params);
        if (isOver(task)) return showOneTask(deps, await restart(deps, request, task, null));
        await sendUpdate(deps, task, retry, await intent(deps, request, task, 'retry'));
        return showOneTask(deps, await taskOf(deps, request.params));
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
    async (request) =>
      audited(deps, request, { ...actionOf(request, 'redo'), detail: { stage: request.body.stage } }, async () => {
        const task = await taskOf(deps, request.params);
        await checkRedo(deps, task, request.body);
        if (isOver(task)) return showOneTask(deps, await restart(deps, request, task, request.body));
        const input = {
          stage: request.body.stage,
          ...overridesOf(request.body),
          ...(await intent(deps, request, task, 'redo')),
        };
        await sendUpdate(deps, task, redo, input);
        return showOneTask(deps, await taskOf(deps, request.params));
      }),
  );
}
