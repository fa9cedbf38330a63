/**
 * What a task waits for before its first stage: the tasks that it depends on. One that is stacked on another begins
 * with the work of that one as soon as it is in the merge queue, and waits once more, for its landing, before it enters
 * the queue itself.
 *
 *     begin -> dependency(start) -> the first stage ... merge -> dependency(merge), if stacked -> merge-queue
 *
 * The rows are asked, since a message may be lost: again when a predecessor says that it moved, and on a timer.
 */
import { TERMINAL_STATES, taskName, type TaskStateName } from '../tasks.js';
import { enqueue } from './landing.js';
import type { TaskState } from './state.js';
import { emit, enter, finish, iso, set, type Turn } from './turn.js';

export const FAILURE_POLICIES = ['wait', 'continue', 'cancel'] as const;

export interface Dependency {
  repo: string;
  workItem: string;
  /** When it is cancelled or fails: wait until somebody retries it, go on without it, or be cancelled as well. */
  onFailure: (typeof FAILURE_POLICIES)[number];
  /** Begin with its work before it has landed; of the same repository. */
  stack: boolean;
}

/** A predecessor as its row has it. */
export interface DependencyNow extends Dependency {
  state: TaskStateName;
  stage: string;
  /** The head with which it is in the merge queue, else null. */
  ready: string | null;
}

export type DependencyPoint = 'start' | 'merge';

export type DependencyJudgement =
  /** `stackBase`: the commit to begin with; null = base. */
  | { kind: 'go'; stackBase: string | null }
  | { kind: 'wait'; on: DependencyNow[] }
  | { kind: 'cancel'; because: DependencyNow };

export function judgeDependencies(found: readonly DependencyNow[], at: DependencyPoint): DependencyJudgement {
  const asked = at === 'start' ? found : found.filter((d) => d.stack);
  const failed = (d: DependencyNow): boolean => d.state === 'cancelled' || d.state === 'failed';
  const because = asked.find((d) => failed(d) && d.onFailure === 'cancel');
  if (because !== undefined) return { kind: 'cancel', because };
  const passable = (d: DependencyNow): boolean =>
    d.state === 'done' || (failed(d) && d.onFailure === 'continue') || (at === 'start' && d.stack && d.ready !== null);
  const on = asked.filter((d) => !passable(d));
  if (on.length > 0) return { kind: 'wait', on };
  return { kind: 'go', stackBase: asked.find((d) => d.stack && !TERMINAL_STATES.includes(d.state))?.ready ?? null };
}

export function waitForDependencies(t: Turn, at: DependencyPoint): void {
  const ask = t.state.asks + 1;
  set(t, { asks: ask });
  enter(t, { kind: 'dependency', since: iso(t.now), at, ask, asking: true, again: false, on: [], retryAt: t.now });
  emit(t, { type: 'askDependencies', ask });
}

/** A predecessor moved, or the timer fired. */
export function askDependenciesAgain(t: Turn): void {
  const { phase } = t.state;
  if (phase.kind !== 'dependency') return;
  // The answer that is under way may be older than the news.
  if (phase.asking) set(t, { phase: { ...phase, again: true } });
  else {
    set(t, { phase: { ...phase, asking: true, again: false } });
    emit(t, { type: 'askDependencies', ask: phase.ask });
  }
}

/** `goOn` begins the first stage. */
export function dependenciesAnswered(t: Turn, ask: number, found: DependencyNow[], goOn: (t: Turn) => void): void {
  const { phase } = t.state;
  if (phase.kind !== 'dependency' || phase.ask !== ask) return;
  const judged = judgeDependencies(found, phase.at);
  switch (judged.kind) {
    case 'cancel': {
      const { repo, workItem, state } = judged.because;
      finish(t, 'cancelled', `${taskName(repo, workItem)}, which it depends on, was ${state}`);
      return;
    }
    case 'wait': {
      // Ever rarer: news come as messages, the timer is for those that were lost.
      const retryAt = t.now + Math.max(t.ctx.input.settings.mergeRetellMs, t.now - Date.parse(phase.since));
      const said = phase.on.map(describeDependency).join();
      set(t, { phase: { ...phase, asking: false, on: judged.on, retryAt } });
      if (judged.on.map(describeDependency).join() !== said) emit(t, { type: 'mirror' });
      if (phase.again) askDependenciesAgain(t);
      return;
    }
    case 'go':
      if (phase.at === 'merge') enqueue(t);
      else {
        // A head that an earlier generation left was cut from what it says already.
        if (t.state.head === null) set(t, { stackBase: judged.stackBase });
        goOn(t);
      }
  }
}

/** For texts: `web/ET-003 (development, running)`. */
export const describeDependency = ({ repo, workItem, stage, state, onFailure }: DependencyNow): string => {
  const name = taskName(repo, workItem);
  if (!TERMINAL_STATES.includes(state)) return `${name} (${stage}, ${state})`;
  return `${name} (${state}${onFailure === 'wait' ? ', waited for until it is retried and done' : ''})`;
};

/** Before the first stage nothing of the task has begun. */
export const isBeforeStart = ({ phase }: Pick<TaskState, 'phase'>): boolean =>
  phase.kind === 'created' || (phase.kind === 'dependency' && phase.at === 'start');
