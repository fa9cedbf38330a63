/** May a person do this now? Judged before anything is applied; a no names what is current. */
import type { ErrorCode } from '../errors.js';
import type { Decision } from '../tasks.js';
import { isBeforeStart } from './dependencies.js';
import type { TaskState } from './state.js';
import { current, indexOf, stageAt, type TaskContext } from './turn.js';
import type { Pipeline } from './types.js';

export type Permit =
  | { kind: 'yes' }
  /** Done before: nothing is to be done again. */
  | { kind: 'repeat'; decision: Decision | null }
  | { kind: 'no'; code: ErrorCode; message: string; data: Record<string, unknown> };

export type Wish =
  | { kind: 'decide'; stage: string; sha: string }
  | { kind: 'answer' | 'retry' | 'cancel' }
  | { kind: 'redo'; stage: string };

/** `intent`: id of the request's audit row, null from the command line; `expiresAt`: RFC 3339 or null. */
export function permit(
  ctx: TaskContext,
  state: TaskState,
  wish: Wish,
  intent: number | null,
  expiresAt: string | null,
  now: number,
): Permit {
  if (wish.kind === 'decide') {
    const decision = state.decisions.find((d) => d.stage === wish.stage && d.sha === wish.sha);
    if (decision !== undefined) return { kind: 'repeat', decision };
  }
  if (intent !== null && state.intents.includes(intent)) return { kind: 'repeat', decision: null };
  if (expiresAt !== null && !(Date.parse(expiresAt) > now)) {
    return no('no-worker', `this request was to be taken by ${expiresAt}; send it again`, { expiresAt });
  }
  if (state.phase.kind === 'ended') return no('conflict', `the task is ${state.phase.state}`, {});
  switch (wish.kind) {
    case 'decide':
      return permitDecision(ctx, state, wish.stage, wish.sha);
    case 'answer':
      return state.phase.kind === 'answer' ? YES : no('conflict', 'the task does not wait for an answer', {});
    case 'retry':
      return ['answer', 'backoff', 'base-red'].includes(state.phase.kind) || isAway(state)
        ? YES
        : no('conflict', 'the task does not wait for anything that a retry would end', {});
    case 'cancel':
      return state.landed === null ? YES : no('conflict', `the change has landed as ${state.landed.commit}`, {});
    case 'redo':
      return permitRedo(ctx, state, wish.stage);
  }
}

function permitDecision(ctx: TaskContext, state: TaskState, stage: string, sha: string): Permit {
  if (state.phase.kind !== 'approval') {
    return no('stale-decision', 'the task does not wait for an approval', { stage: null, sha: null });
  }
  const due = { stage: current({ ctx, state }).name, sha: state.phase.artifact.sha };
  if (due.stage === stage && due.sha === sha) return YES;
  return no('stale-decision', `what waits for an approval is ${due.stage} at ${due.sha}`, due);
}

/**
 * Why what waits cannot be approved: its document is not in the commit, so that nobody could have read it. Null where
 * it can. For requests that are new: what was accepted before this rule stays accepted.
 */
export function cannotApprove({ phase }: TaskState, stage: string, sha: string): string | null {
  if (phase.kind !== 'approval' || phase.artifact.sha !== sha) return null;
  const { path, blob } = phase.artifact;
  if (path === null || blob !== null) return null;
  return `there is no ${path} in ${sha}, so there is nothing to approve: reject ${stage} with a reason, and it is written`;
}

function permitRedo(ctx: TaskContext, state: TaskState, stage: string): Permit {
  const index = indexOf(ctx, stage);
  if (stageAt(ctx, index) === undefined) {
    const stages = ctx.input.pipeline.stages.map((s) => s.name);
    return no('not-acceptable', `the pipeline has no stage ${stage}`, { stages });
  }
  if (isBeforeStart(state)) return no('conflict', 'the task has not begun: others come first', {});
  if (index > state.stage) return no('conflict', `the task has not come to ${stage} yet`, {});
  if (wantsOut(state) === 'cancel') return no('conflict', 'the task is being cancelled', {});
  const merge = ctx.input.pipeline.stages.findIndex((s) => s.kind === 'merge');
  if (state.landed !== null && index <= merge) {
    return no('conflict', `the change has landed as ${state.landed.commit}; a redo begins when the task is done`, {});
  }
  return YES;
}

/**
 * May a redo of a task that is over begin at `stage`? `reached` is the stage it ended in (`done`, or a stage's name). Only
 * backwards: beginning after an approval that nobody gave would be a way around it.
 */
export function mayBeginAt({ stages }: Pipeline, reached: string, stage: string): boolean {
  const index = stages.findIndex((s) => s.name === stage);
  const last = reached === 'done' ? stages.length - 1 : stages.findIndex((s) => s.name === reached);
  return index !== -1 && index <= Math.max(0, last);
}

function wantsOut(state: TaskState): 'cancel' | 'redo' | null {
  const { phase } = state;
  return (phase.kind === 'stopping' || phase.kind === 'merge-queue' ? phase.then?.kind : null) ?? null;
}

const isAway = ({ phase }: TaskState): boolean => phase.kind === 'agent' && phase.away != null;

const YES: Permit = { kind: 'yes' };
const no = (code: ErrorCode, message: string, data: Record<string, unknown>): Permit => ({
  kind: 'no',
  code,
  message,
  data,
});
