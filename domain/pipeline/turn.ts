import type { EntryIdentity } from '../merge-queue/types.js';
import type { WaitCode } from '../tasks.js';
import type { TaskCommand } from './commands.js';
import type { BackoffTimes, TaskInput } from './input.js';
import type { Phase, Resume, TaskState } from './state.js';
import type { AgentStage, ApprovalStage, CheckStage, MergeStage, Stage } from './types.js';

/** Ids are built in one place outside of the domain; decisions are given the builders. */
export interface TaskIds {
  workflow: string;
  queue: string;
  run(stage: string, attempt: number): string;
  entry(head: string, tryNumber: number): EntryIdentity;
}

export interface TaskContext {
  input: TaskInput;
  ids: TaskIds;
}

/** One event being worked on: `state` is replaced, never changed in place; commands are in the order to carry out. */
export interface Turn {
  readonly ctx: TaskContext;
  readonly now: number;
  state: TaskState;
  readonly commands: TaskCommand[];
  /** Begins the work of a stage; each kind does it in a file of its own. */
  readonly begin: (t: Turn, stage: Stage) => void;
}

export const iso = (ms: number): string => new Date(ms).toISOString();

export function set(t: Turn, patch: Partial<TaskState>): void {
  t.state = { ...t.state, ...patch };
}

export function emit(t: Turn, ...commands: TaskCommand[]): void {
  t.commands.push(...commands);
}

/** Time that a person took is the sum of the rounds spent in these phases. */
const HUMAN: readonly Phase['kind'][] = ['approval', 'answer'];

export function enter(t: Turn, phase: Phase): void {
  const left = t.state.phase;
  const spent = HUMAN.includes(left.kind) ? Math.max(0, t.now - Date.parse(left.since)) / 1000 : 0;
  set(t, { phase, humanSeconds: t.state.humanSeconds + spent });
}

/** Ends the wait, the stage or the work: a person is asked, and only a person goes on. */
export function askPerson(
  t: Turn,
  code: WaitCode,
  detail: string,
  resume: { question?: string; onAnswer: Resume; onRetry: Resume },
): void {
  const { question = null, onAnswer, onRetry } = resume;
  enter(t, { kind: 'answer', since: iso(t.now), code, detail, question, onAnswer, onRetry });
  emit(t, { type: 'mirror' });
}

/** The backoff in force: as the last answer told it, else as the task began with. */
export function backoffOf(t: Turn): BackoffTimes {
  const { backoffBaseMs, backoffMaxMs } = t.ctx.input.settings;
  return t.state.backoff ?? { baseMs: backoffBaseMs, maxMs: backoffMaxMs };
}

export const AGAIN = { onAnswer: { kind: 'again' }, onRetry: { kind: 'again' } } as const;

export function finish(t: Turn, state: 'done' | 'cancelled', reason: string): void {
  enter(t, { kind: 'ended', since: iso(t.now), state, reason });
  emit(t, { type: 'mirror' });
  if (t.state.host !== null) emit(t, { type: 'cleanUp', host: t.state.host });
}

const MAX_NOTES = 20;

export function note(t: Turn, ...texts: string[]): void {
  set(t, { notes: [...t.state.notes, ...texts.map(cut)].slice(-MAX_NOTES) });
}

/** Texts of agents are hostile and may be long: histories stay small. */
export const cut = (text: string): string => (text.length > 4000 ? `${text.slice(0, 4000)}…` : text);

export function count(t: Turn, counter: 'faults' | 'transient' | 'followUps' | 'humanWaits'): void {
  set(t, { counters: { ...t.state.counters, [counter]: t.state.counters[counter] + 1 } });
}

export function stageAt(ctx: TaskContext, index: number): Stage | undefined {
  return ctx.input.pipeline.stages[index];
}

/** The stage the task is in; past the last one it keeps the last. */
export function current(t: { ctx: TaskContext; state: TaskState }): Stage {
  const stages = t.ctx.input.pipeline.stages;
  const stage = stages[Math.min(t.state.stage, stages.length - 1)];
  if (stage === undefined) throw new RangeError('a pipeline has at least one stage');
  return stage;
}

type StageOf = { agent: AgentStage; approval: ApprovalStage; check: CheckStage; merge: MergeStage };

/** The current stage, known to be of that kind by the phase the task is in. */
export function currentOf<K extends Stage['kind']>(t: { ctx: TaskContext; state: TaskState }, kind: K): StageOf[K] {
  const stage = current(t);
  if (stage.kind !== kind) throw new RangeError(`stage ${stage.name} is of kind ${stage.kind}, not ${kind}`);
  return stage as StageOf[K];
}

export function indexOf(ctx: TaskContext, stage: string): number {
  return ctx.input.pipeline.stages.findIndex((s) => s.name === stage);
}
