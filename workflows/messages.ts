/**
 * Every message a workflow takes, by name and shape. Updates come from people (and the API); machine traffic is
 * signals, each with an id in its payload because a signal may arrive twice.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Verdict } from '../domain/checks/types.js';
import type { QueueTimes } from '../domain/merge-queue/state.js';
import type { EnqueueRequest, EntryChange, EntryEdit, MergeOutcome, QueueView } from '../domain/merge-queue/types.js';
import type { Counters, Decision, TaskStateName, Waiting } from '../domain/tasks.js';

/** Who acts, as the API knows it. Absent when the update came from the `temporal` command line. */
export interface Actor {
  by?: string;
  /** Id of the audit row written before the update was sent. */
  intent?: number;
  /** RFC 3339; an update that arrives later is refused (it would else be applied when a worker comes back). */
  expiresAt?: string;
}

export interface DecisionInput extends Actor {
  stage: string;
  sha: string;
  reason?: string;
  /** With reject: cancel the task. */
  final?: boolean;
}

export interface AnswerInput extends Actor {
  text: string;
}
export interface CancelInput extends Actor {
  reason?: string;
}
export type RetryInput = Actor;
export interface RedoInput extends Actor {
  stage: string;
  agent?: string | null;
  model?: string | null;
  effort?: string | null;
  prompt?: string | null;
}

export const approve = defineUpdate<Decision, [DecisionInput]>('approve');
export const reject = defineUpdate<Decision, [DecisionInput]>('reject');
export const answer = defineUpdate<{ accepted: true }, [AnswerInput]>('answer');
export const cancelTask = defineUpdate<{ accepted: true }, [CancelInput]>('cancel');
export const retry = defineUpdate<{ accepted: true }, [RetryInput]>('retry');
export const redo = defineUpdate<{ accepted: true }, [RedoInput]>('redo');

/** Title or priority of the task, as they are in its row now. */
export const changed = defineSignal<[EntryChange]>('changed');

/** A waiting job got its slot. */
export interface RunGranted {
  runId: string;
  host: string;
}
export const runGranted = defineSignal<[RunGranted]>('runGranted');

/** The presence of the host of a run changed. */
export interface HostChanged {
  runId: string;
  /** Since when it is not heard of, RFC 3339; null = it is. */
  away: string | null;
}
export const hostChanged = defineSignal<[HostChanged]>('hostChanged');

/** A task that this one depends on ended, or is in the merge queue. */
export interface DependencySettled {
  /** `web/ET-003` */
  id: string;
}
export const dependencySettled = defineSignal<[DependencySettled]>('dependencySettled');

export interface CheckSettled {
  /** The verdict key. */
  id: string;
  verdict: Verdict;
}
export const checkSettled = defineSignal<[CheckSettled]>('checkSettled');

export interface MergeSettled {
  /** The entry id. */
  id: string;
  outcome: MergeOutcome;
}
export const mergeSettled = defineSignal<[MergeSettled]>('mergeSettled');

export interface TaskStatus {
  task: string;
  state: TaskStateName;
  stage: string;
  head: string | null;
  agentRunning: string | null;
  waitingOn: Waiting | null;
  counters: Counters;
  generation: number;
}
export const status = defineQuery<TaskStatus>('status');

/** One link of the chain; the nearest first. The query gives the task's own link, the API follows `links`. */
export interface ExplainLink {
  kind: string;
  since: string;
  until: string | null;
  detail: string;
  unblockedBy: string[];
  links: Record<string, string>;
}
export const explain = defineQuery<{ chain: ExplainLink[] }>('explain');

// mergeQueue
/**
 * The times of the sender's settings come along: a queue never ends, and settings change. So does what people decided
 * about the entry: a queue that is begun anew knows nothing of it.
 */
export const enqueue = defineSignal<[EnqueueRequest, QueueTimes?, EntryEdit?]>('enqueue');
export interface Withdraw {
  /** Entry id. */
  id: string;
  reason: string;
}
export const withdraw = defineSignal<[Withdraw]>('withdraw');
export interface EntryChanged {
  /** Entry id. */
  id: string;
  change: EntryChange;
}
export const entryChanged = defineSignal<[EntryChanged]>('entryChanged');
export interface EntryEdited {
  /** Entry id. */
  id: string;
  edit: EntryEdit;
}
export const entryEdited = defineSignal<[EntryEdited]>('entryEdited');
export interface TaskEnded {
  /** `web/ET-012` */
  id: string;
}
/** A task whose work was sent back for repair is over: nobody waits for that any more. */
export const taskEnded = defineSignal<[TaskEnded]>('taskEnded');
/** A gate row changed (pause, resume, drain, freeze): read the store again. `acceptTip` comes with a resume. */
export interface GateChanged {
  id: string;
  acceptTip: string | null;
}
export const gateChanged = defineSignal<[GateChanged, QueueTimes?]>('gateChanged');

export const queueState = defineQuery<QueueView>('state');

// check
export interface Subscribe {
  /** Workflow that hears `checkSettled`. */
  workflowId: string;
}
export const subscribe = defineSignal<[Subscribe]>('subscribe');
/** That workflow does not want the verdict any more. */
export const unsubscribe = defineSignal<[Subscribe]>('unsubscribe');

/** The forge has news about a commit that is checked: look at once. A second one does no more than that either. */
export interface StatusNews {
  /** The commit. */
  id: string;
}
export const statusNews = defineSignal<[StatusNews]>('statusNews');
