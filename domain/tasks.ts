/** The words of a task that programs outside rely on: states, waits, counters, costs. Shapes as the API shows them. */

export type Priority = 'low' | 'normal' | 'high' | 'urgent';
export const PRIORITIES: readonly Priority[] = ['urgent', 'high', 'normal', 'low'];

export type TaskStateName = 'queued' | 'running' | 'waiting' | 'done' | 'failed' | 'cancelled';
export const TERMINAL_STATES: readonly TaskStateName[] = ['done', 'failed', 'cancelled'];

/** What a task waits for. `start`: accepted, its workflow not begun; `host`: a free slot or a live host. */
export type WaitKind =
  'start' | 'dependency' | 'approval' | 'answer' | 'host' | 'backoff' | 'agent' | 'check' | 'merge-queue' | 'freeze';

/** Why an `answer` or `check` wait stands. */
export type WaitCode = 'attempts' | 'bound' | 'question' | 'base-red' | 'refused' | 'blocked' | 'invalid';

export interface Waiting {
  kind: WaitKind;
  /** RFC 3339 UTC. */
  since: string;
  until: string | null;
  detail: string;
  code: WaitCode | null;
  /** For an approval: the head read back at the end of the stage it is of, and the document, if the stage names one. */
  artifact: { path: string | null; sha: string } | null;
  /** Who or what can end the wait: roles, commands, workflow ids. */
  unblockedBy: string[];
  links: Record<string, string>;
}

/** Four counters that never mix: only `faults` spends the attempt budget. */
export interface Counters {
  faults: number;
  transient: number;
  followUps: number;
  humanWaits: number;
}

export interface Cost {
  usd: number;
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheCreationTokens: number;
}

/** A landing that was read back from the remote. */
export interface Landed {
  commit: string;
  tree: string;
  /** The base oid it was checked on. */
  base: string;
  plan: string;
  at: string;
  /** Absent or null: the remote is not checked out, or the checkout shows the landing. */
  checkoutBehind?: CheckoutBehind | null;
}

/** Local edits kept a checked-out remote from being brought up; the landing stands. */
export interface CheckoutBehind {
  reason: string;
  /** The command that brings it up and keeps the edits, as a user types it. */
  mendedBy: string;
}

/** `web/ET-012` */
export function taskName(repo: string, workItem: string): string {
  return `${repo}/${workItem}`;
}

/** `ET`, 12 → `ET-012`: at least three digits. */
export function workItemName(prefix: string, number: number): string {
  return `${prefix}-${String(number).padStart(3, '0')}`;
}

/** One for each (task, stage, sha), for ever. */
export interface Decision {
  stage: string;
  sha: string;
  verdict: 'approved' | 'rejected';
  by: string;
  at: string;
  reason: string | null;
}

/**
 * A picture of the task for lists and search, written inside the activity that changed the world. An older picture
 * never overwrites a newer one: version = (generation, run id, seq); a new current run claims the row.
 */
export interface TaskMirror {
  repo: string;
  workItem: string;
  generation: number;
  /** Temporal run id and a counter of this run. */
  runId: string;
  seq: number;
  state: TaskStateName;
  stage: string;
  agentRunning: string | null;
  head: string | null;
  /** The commit of another task that its branch was cut from; absent or null: of none. */
  stackBase?: string | null;
  waitingOn: Waiting | null;
  landed: Landed | null;
  counters: Counters;
  humanSeconds: number;
  /** Why it is over, with who wanted it; absent or null while it is not. */
  endReason?: string | null;
}
