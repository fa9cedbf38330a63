/** The updates a person (or the API for one) may send to a task. Validators are synchronous; handlers only dispatch. */
import { setHandler, type ApplicationFailure } from '@temporalio/workflow';
import type { TaskEvent } from '../domain/pipeline/events.js';
import { claimedBy, sourceOf } from '../domain/pipeline/actor.js';
import { cannotApprove, permit, type Permit, type Wish } from '../domain/pipeline/permit.js';
import type { TaskState } from '../domain/pipeline/state.js';
import type { TaskContext } from '../domain/pipeline/turn.js';
import type { Decision } from '../domain/tasks.js';
import { refusal } from './failures.js';
import * as messages from './messages.js';

const MAX_TEXT = 65536;

export function listenToPeople(ctx: TaskContext, state: () => TaskState, dispatch: (event: TaskEvent) => void): void {
  const judge = (wish: Wish, actor: messages.Actor): Permit =>
    permit(ctx, state(), wish, actor.intent ?? null, actor.expiresAt ?? null, Date.now());
  const validate = (wish: Wish, actor: messages.Actor): void => {
    const answer = judge(wish, actor);
    if (answer.kind === 'no') throw refusal(answer.code, answer.message, answer.data);
  };
  /** Judged again: another update of the same moment may have come first. */
  const act = (wish: Wish, actor: messages.Actor, event: TaskEvent): { accepted: true } => {
    const answer = judge(wish, actor);
    if (answer.kind === 'no') throw refusal(answer.code, answer.message, answer.data);
    if (answer.kind === 'yes') dispatch(event);
    return { accepted: true };
  };

  const decide =
    (verdict: Decision['verdict']) =>
    (input: messages.DecisionInput): Decision => {
      const { stage, sha, reason = null } = input;
      const by = claimedBy(input);
      const answer = judge({ kind: 'decide', stage, sha }, input);
      if (answer.kind === 'no') throw refusal(answer.code, answer.message, answer.data);
      if (answer.kind === 'repeat') {
        if (answer.decision === null) throw refusal('stale-decision', 'this request was applied to another decision');
        return answer.decision;
      }
      const decision: Decision = { stage, sha, verdict, by, at: new Date(Date.now()).toISOString(), reason };
      dispatch({ type: 'decided', decision, intent: input.intent ?? null, final: input.final ?? false });
      return decision;
    };
  const decisionValidator = (input: messages.DecisionInput): void => {
    requireTexts(input, ['stage', 'sha'], ['by', 'reason', 'expiresAt']);
    validate({ kind: 'decide', stage: input.stage, sha: input.sha }, input);
  };
  const what = 'the artifact that waitingOn names: {"stage","sha"}';
  const approvalValidator = (input: messages.DecisionInput): void => {
    decisionValidator(input);
    // Here alone, since validators are not replayed.
    const why = cannotApprove(state(), input.stage, input.sha);
    if (why !== null) throw refusal('conflict', why);
  };
  setHandler(messages.approve, decide('approved'), { validator: approvalValidator, description: `approve ${what}` });
  setHandler(messages.reject, decide('rejected'), { validator: decisionValidator, description: `reject ${what}` });

  setHandler(
    messages.answer,
    (input: messages.AnswerInput) =>
      act({ kind: 'answer' }, input, { type: 'answered', text: input.text, intent: input.intent ?? null }),
    {
      validator: (input: messages.AnswerInput) => {
        requireTexts(input, ['text'], ['by', 'expiresAt']);
        validate({ kind: 'answer' }, input);
      },
      description: 'answer what the task asks: {"text"}',
    },
  );
  setHandler(
    messages.retry,
    (input: messages.RetryInput = {}) =>
      act({ kind: 'retry' }, input, { type: 'retried', intent: input.intent ?? null }),
    {
      validator: (input: messages.RetryInput = {}) => {
        requireTexts(input, [], ['by', 'expiresAt']);
        validate({ kind: 'retry' }, input);
      },
      description: 'go on with a fresh budget',
    },
  );
  setHandler(
    messages.cancelTask,
    (input: messages.CancelInput = {}) => {
      const { reason = 'no reason was given', intent = null } = input;
      const by = sourceOf(input);
      return act({ kind: 'cancel' }, input, { type: 'cancelled', reason, by, intent });
    },
    {
      validator: (input: messages.CancelInput = {}) => {
        requireTexts(input, [], ['by', 'reason', 'expiresAt']);
        validate({ kind: 'cancel' }, input);
      },
      description: 'end the task: {"reason"}',
    },
  );
  setHandler(
    messages.redo,
    (input: messages.RedoInput) => {
      const { stage, agent = null, model = null, effort = null, prompt = null, intent = null } = input;
      const overrides = { agent, model, effort, prompt };
      return act({ kind: 'redo', stage }, input, { type: 'redone', stage, overrides, intent });
    },
    {
      validator: (input: messages.RedoInput) => {
        requireTexts(input, ['stage'], ['agent', 'model', 'effort', 'prompt', 'by', 'expiresAt']);
        validate({ kind: 'redo', stage: input.stage }, input);
      },
      description: 'go back to a stage: {"stage"}',
    },
  );
}

/** The command line can send anything: what is not as it should be is refused before it is applied. */
function requireTexts(input: unknown, needed: string[], optional: string[]): void {
  const given = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>;
  for (const name of [...needed, ...optional]) {
    const value = given[name];
    if (optional.includes(name) && (value === undefined || value === null)) continue;
    if (typeof value !== 'string' || value.length > MAX_TEXT) throw malformed(name);
  }
  const { intent } = given;
  if (intent !== undefined && intent !== null && !Number.isSafeInteger(intent))
    throw malformed('intent', 'a whole number');
}

const malformed = (field: string, type = 'a text'): ApplicationFailure =>
  refusal('invalid-request', `\`${field}\` must be ${type}`, { faults: [{ field, message: `must be ${type}` }] });
