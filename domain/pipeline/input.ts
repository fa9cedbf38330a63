import type { Counters, Priority } from '../tasks.js';
import type { Dependency } from './dependencies.js';
import type { TaskState } from './state.js';
import type { Pipeline } from './types.js';

/** What a redo changes for the stage it begins with, for that visit only. */
export interface RunOverrides {
  agent: string | null;
  model: string | null;
  effort: string | null;
  prompt: string | null;
}

export const NO_OVERRIDES: RunOverrides = { agent: null, model: null, effort: null, prompt: null };

/** Every duration and number the task's decisions need: inputs, so that tests can make them small. Milliseconds. */
export interface TaskSettings {
  backoffBaseMs: number;
  backoffMaxMs: number;
  /** Faults per stage and visit, where neither stage nor task says otherwise. */
  maxAttempts: number;
  /** After this long without `runGranted` the slot is asked for again. */
  grantRetryMs: number;
  /** After this long without `checkSettled` the verdict is asked for again. */
  checkRetryMs: number;
  /** After this long without `mergeSettled` the same entry is enqueued again, which re-tells its outcome. */
  mergeRetellMs: number;
  /** How long a run that was told to stop may take before it is told again (and a cancelled task ends without it). */
  stopPatienceMs: number;
}

/** BACKOFF_BASE and BACKOFF_MAX. */
export interface BackoffTimes {
  baseMs: number;
  maxMs: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** The part of TaskSettings that users do not set: the fallbacks behind messages that may be lost. */
export const PATIENCE = {
  grantRetryMs: MINUTE,
  checkRetryMs: 5 * MINUTE,
  mergeRetellMs: 5 * MINUTE,
  stopPatienceMs: MINUTE,
} as const satisfies Partial<TaskSettings>;

/** The one argument of the workflow `task`. */
export interface TaskInput {
  repo: string;
  workItem: string;
  /** From 1; a redo or retry of a closed task starts the next one. */
  generation: number;
  title: string;
  base: string;
  branch: string;
  priority: Priority;
  /** Pinned when the task was accepted. */
  pipeline: Pipeline;
  /** The task's own budget of faults per stage and visit. */
  maxAttempts: number | null;
  settings: TaskSettings;
  queuePrefix: string;
  /** Head on the remote that an earlier generation left, or null. */
  head: string | null;
  /** What earlier generations counted (all 0 in the first): counters never fall. */
  counters: Counters;
  humanSeconds: number;
  /** Tasks that come first; absent = none. */
  dependsOn?: Dependency[];
  /** The commit of another task that an earlier generation was cut from; absent = none. */
  stackBase?: string | null;
  /** A redo: where to begin instead of the first stage. */
  startAt: { stage: string; overrides: RunOverrides } | null;
  /** False when the repository has no checks: `check` stages are skipped. */
  checksExist: boolean;
  /** Carried over by continue-as-new; null at the start of a generation. */
  carried: TaskState | null;
}
