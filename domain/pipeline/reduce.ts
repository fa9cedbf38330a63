/**
 * The life of one generation of a task.
 *
 * Phases (state.ts): created → dependency, where others come first → then, stage by stage of the pinned pipeline,
 *   agent:    host (in line) → agent (running) → next | backoff → host | host again after a fault | back edge;
 *             while the host of the run is away it waits for that, until a person gives the run up: host again
 *   approval: approval → next | the stage it is of
 *   check:    check(head) → next | check(base) → base-red → … | back edge | backoff → check(head)
 *   merge:    merge-queue → next | back edge
 * and from each of them: answer (a person is asked: attempts, bound, question, refused, blocked, invalid) → on;
 * stopping or a withdrawn merge-queue entry (redo, cancel: wait for what runs) → on; ended (done, cancelled).
 *
 * Invariants, tested under a bus that loses, repeats and reorders:
 * - at most one run at a time; the next one is asked for only when the report of the last one is in, or given up
 *   with the task;
 * - `visit.faults` never exceeds the budget without a person; waits, restarts and transient failures spend nothing;
 * - every phase but `ended` has an owner, and a deadline wherever an answer could get lost;
 * - an approval is of one sha; it holds for another head only where the same document (blob) is at its path;
 * - an entry that was enqueued is left only by the queue's own word;
 * - counters never fall; `ended` is final; at most one landing.
 */
import { askForVerdictAgain, checkAnswered, checkSettled, lookAtBaseAgain, requestCheck } from './checks.js';
import type { TaskCommand } from './commands.js';
import type { TaskEvent } from './events.js';
import { askDependenciesAgain, dependenciesAnswered, waitForDependencies } from './dependencies.js';
import { NO_OVERRIDES, type TaskInput } from './input.js';
import { changed, enqueue, enqueueAgain, enqueueAnswered, mergeSettled } from './landing.js';
import { decided, decisionRecorded, goOn, stopAgain, turnAway } from './people.js';
import {
  askForSlotAgain,
  hostChanged,
  requestAnswered,
  requestRun,
  runElsewhere,
  runFinished,
  runGranted,
} from './runs.js';
import { afterwards, beginApproval, enterStage } from './stages.js';
import type { TaskState } from './state.js';
import { AGAIN, askPerson, cut, emit, indexOf, iso, note, set, type TaskContext, type Turn } from './turn.js';
import type { Stage } from './types.js';

const MAX_INTENTS = 100;

export function initialState(input: TaskInput, now: number): TaskState {
  return {
    phase: { kind: 'created', since: iso(now) },
    stage: 0,
    words: { version: 0, title: input.title, priority: input.priority },
    begun: false,
    head: input.head,
    stackBase: input.stackBase ?? null,
    host: null,
    runs: {},
    lastRun: null,
    visit: { faults: 0, transient: 0, overrides: NO_OVERRIDES },
    edges: {},
    tries: 0,
    asks: 0,
    feedback: [],
    summaries: {},
    results: {},
    blobs: {},
    decisions: [],
    approved: {},
    counters: input.counters,
    humanSeconds: input.humanSeconds,
    landed: null,
    notes: [],
    intents: [],
  };
}

export interface Decided {
  state: TaskState;
  commands: TaskCommand[];
}

/** Pure: `state` is not changed. `now` in epoch milliseconds. */
export function reduce(ctx: TaskContext, state: TaskState, event: TaskEvent, now: number): Decided {
  const t: Turn = { ctx, now, state, commands: [], begin: beginStage };
  if (event.type === 'decisionRecorded') decisionRecorded(t, event.decision);
  else if (state.phase.kind === 'ended') straggler(t, event);
  else apply(t, event);
  if ('intent' in event && event.intent !== null) {
    set(t, { intents: [...t.state.intents, event.intent].slice(-MAX_INTENTS) });
  }
  return { state: t.state, commands: t.commands };
}

/** When `tick` is due, epoch milliseconds; null = this phase has an owner that cannot get lost. */
export function deadline(state: TaskState): number | null {
  const phase = state.phase;
  switch (phase.kind) {
    case 'dependency':
    case 'host':
    case 'check':
    case 'merge-queue':
      return phase.asking ? null : phase.retryAt;
    case 'base-red':
      return phase.retryAt;
    case 'stopping':
      return phase.host === null ? null : phase.retryAt;
    case 'backoff':
      return phase.until;
    case 'created':
    case 'agent':
    case 'approval':
    case 'answer':
    case 'ended':
      return null;
  }
}

function apply(t: Turn, event: Exclude<TaskEvent, { type: 'decisionRecorded' }>): void {
  switch (event.type) {
    case 'begin':
      begin(t);
      return;
    case 'tick':
      tick(t);
      return;
    case 'requestAnswered':
      requestAnswered(t, event.runId, event.granted, event.ahead, event.reason);
      return;
    case 'granted':
      runGranted(t, event.runId, event.host);
      return;
    case 'runFinished':
      runFinished(t, event.runId, event.report);
      return;
    case 'hostChanged':
      hostChanged(t, event.runId, event.away);
      return;
    case 'dependenciesAnswered':
      dependenciesAnswered(t, event.ask, event.found, start);
      return;
    case 'dependencySettled':
      askDependenciesAgain(t);
      return;
    case 'checkAnswered':
      checkAnswered(t, event.ask, event.answer);
      return;
    case 'checkSettled':
      checkSettled(t, event.key, event.verdict);
      return;
    case 'enqueueAnswered':
      enqueueAnswered(t, event.entry, event.settled, event.position);
      return;
    case 'mergeSettled':
      mergeSettled(t, event.entry, event.outcome);
      return;
    case 'changed':
      changed(t, event.change);
      return;
    case 'commandFailed':
      commandFailed(t, event.id, event.what, event.message);
      return;
    case 'decided':
      decided(t, event);
      return;
    case 'answered':
      goOn(t, event.text);
      return;
    case 'retried':
      retried(t);
      return;
    case 'redone':
      turnAway(t, { kind: 'redo', stage: event.stage, overrides: event.overrides });
      return;
    case 'cancelled':
      turnAway(t, { kind: 'cancel', reason: event.reason, by: event.by });
      return;
  }
}

function beginStage(t: Turn, stage: Stage): void {
  switch (stage.kind) {
    case 'agent':
      requestRun(t);
      return;
    case 'approval':
      beginApproval(t, stage);
      return;
    case 'check':
      requestCheck(t, 'head');
      return;
    case 'merge':
      // What it is stacked on lands first.
      if (t.state.stackBase == null) enqueue(t);
      else waitForDependencies(t, 'merge');
      return;
  }
}

function begin(t: Turn): void {
  if (t.state.phase.kind !== 'created') return;
  if ((t.ctx.input.dependsOn ?? []).length > 0) waitForDependencies(t, 'start');
  else start(t);
}

function start(t: Turn): void {
  const { startAt } = t.ctx.input;
  if (startAt === null) enterStage(t, 0);
  else enterStage(t, Math.max(0, indexOf(t.ctx, startAt.stage)), startAt.overrides);
}

function tick(t: Turn): void {
  const due = deadline(t.state);
  if (due === null || t.now < due) return;
  const phase = t.state.phase;
  switch (phase.kind) {
    case 'dependency':
      askDependenciesAgain(t);
      return;
    case 'host':
      askForSlotAgain(t);
      return;
    case 'check':
      askForVerdictAgain(t);
      return;
    case 'merge-queue':
      enqueueAgain(t);
      return;
    case 'base-red':
      lookAtBaseAgain(t);
      return;
    case 'stopping':
      stopAgain(t);
      return;
    case 'backoff':
      endBackoff(t, phase.resume);
      return;
    default:
      return;
  }
}

function endBackoff(t: Turn, resume: 'run' | 'check'): void {
  if (resume === 'run') requestRun(t);
  else requestCheck(t, 'head');
}

/** Besides answer waits, a retry also cuts a backoff or a look at the base short, and gives up a lost host. */
function retried(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind === 'backoff') endBackoff(t, phase.resume);
  else if (phase.kind === 'base-red') lookAtBaseAgain(t);
  else if (phase.kind === 'agent') runElsewhere(t);
  else goOn(t, null);
}

/** What the current phase depends on failed for good: a person has to look. Anything else is only noted. */
function commandFailed(t: Turn, id: string, what: string, message: string): void {
  const phase = t.state.phase;
  const detail = cut(`${what} failed: ${message}`);
  switch (phase.kind) {
    case 'host':
    case 'agent':
      if (phase.runId !== id) break;
      emit(t, { type: 'dropRun', runId: id, reason: detail });
      askPerson(t, 'invalid', detail, AGAIN);
      return;
    case 'stopping':
      if (phase.runId !== id) break;
      emit(t, { type: 'dropRun', runId: id, reason: detail });
      afterwards(t, phase.then);
      return;
    case 'dependency': {
      if (String(phase.ask) !== id) break;
      const resume = { kind: 'dependencies', at: phase.at } as const;
      askPerson(t, 'invalid', detail, { onAnswer: resume, onRetry: resume });
      return;
    }
    case 'check':
      if (String(phase.ask) !== id) break;
      askPerson(t, 'invalid', detail, AGAIN);
      return;
    case 'merge-queue':
      if (phase.request.entry !== id) break;
      if (phase.then !== null) afterwards(t, phase.then);
      else askPerson(t, 'invalid', detail, AGAIN);
      return;
    default:
      break;
  }
  note(t, detail);
}

/** The task is over; only a slot that was still given to it has to be given back. */
function straggler(t: Turn, event: TaskEvent): void {
  if (event.type === 'requestAnswered' && event.runId !== t.state.lastRun) {
    emit(t, { type: 'dropRun', runId: event.runId, reason: 'the task is over' });
  }
}
