/**
 * Decisions on a commit. The workflow arbitrates and the row remembers: what was decided is answered from the row, whoever
 * asks and whenever; anything else is an update that is heard within ten seconds or refused.
 */
import { setTimeout } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../domain/errors.js';
import { TERMINAL_STATES, type Decision } from '../domain/tasks.js';
import { listDecisions } from '../store/decisions.js';
import type { Task } from '../store/tasks.js';
import { approve, reject, type Actor } from '../workflows/messages.js';
import { principalOf } from './auth.js';
import type { ApiDeps } from './deps.js';
import { taskOf } from './lookups.js';
import { Patience } from './patience.js';
import { sendUpdate } from './updates.js';

export const isOver = (task: Task): boolean => TERMINAL_STATES.includes(task.state);

/** Who acts, with the audit row of the wish: a workflow trusts an actor only with such a row. */
export const actor = (request: FastifyRequest, intent: number, expiresAt: string): Actor => ({
  by: principalOf(request).name,
  intent,
  expiresAt,
});

const ROW_PATIENCE_MS = 2000;

/** The task once its row shows that the workflow went on, or as it is after two seconds. */
export async function settled(deps: ApiDeps, before: Task): Promise<Task> {
  const picture = (task: Task): string => JSON.stringify([task.state, task.stage, task.waitingOn, task.generation]);
  const patience = new Patience(ROW_PATIENCE_MS);
  for (;;) {
    const now = await taskOf(deps, before);
    if (picture(now) !== picture(before) || patience.over) return now;
    await setTimeout(25);
  }
}

export interface DecisionBody {
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

/** The decision that counts for this commit, and the task as it is with it. */
export async function decide(
  deps: ApiDeps,
  request: FastifyRequest,
  task: Task,
  verdict: 'approve' | 'reject',
  body: DecisionBody,
  intent: number,
): Promise<{ decision: Decision; task: Task }> {
  const known = await recorded(deps, task, body);
  if (known !== null) return { decision: known, task };
  if (isOver(task)) throw stale(task, body);
  const input = {
    stage: body.stage,
    sha: body.sha,
    ...(body.reason == null ? {} : { reason: body.reason }),
    ...(body.final === undefined ? {} : { final: body.final }),
  };
  try {
    const decision = await sendUpdate(deps, task, verdict === 'approve' ? approve : reject, (expiresAt) => ({
      ...input,
      ...actor(request, intent, expiresAt),
    }));
    return { decision, task: await settled(deps, task) };
  } catch (err) {
    const now = await taskOf(deps, task);
    // Taken at the last moment, or by somebody else meanwhile: the row says so.
    const meanwhile = await recorded(deps, now, body);
    if (meanwhile !== null) return { decision: meanwhile, task: now };
    if (!(err instanceof SignalboxError) || err.code !== 'stale-decision') throw err;
    const { stage, sha } = err.data;
    throw typeof stage === 'string'
      ? new SignalboxError(err.code, err.message, { current: { stage, sha } })
      : stale(now, body);
  }
}
