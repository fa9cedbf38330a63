/**
 * One set of options per reliability class. Activities retry on infrastructure errors, for ever unless their class says
 * otherwise; errors that trying again will not mend arrive as non-retryable ApplicationFailure and become a wait.
 */
import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { AgentActivities, CheckActivities, GitActivities, RecordActivities } from './activities.js';
import { controlQueue, hostQueue } from './ids.js';

/** Postgres answers in milliseconds: 30 s means it hangs. Away for a night, it is asked every half minute. */
const RECORDS: ActivityOptions = {
  startToCloseTimeout: '30s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '30s' },
};

/**
 * Fetches and pushes of large repositories take minutes. Three tries ride out a blip; then the queue backs off on its
 * own timer and shows why. A cancelled one is not waited for: its host may be gone.
 */
const GIT: ActivityOptions = {
  startToCloseTimeout: '15m',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s', maximumAttempts: 3 },
};

/**
 * A push may be slow, but a host that is silent for 30 s is looked after. One attempt: after a doubt nobody pushes
 * again before the fence and the read-back have said what the first attempt did.
 */
const PUBLISH: ActivityOptions = {
  startToCloseTimeout: '15m',
  heartbeatTimeout: '30s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { maximumAttempts: 1 },
};

/**
 * Seconds of reading; nobody waits for it, and the next one makes up for one that failed. Its host may be gone, so it is
 * not left in line for ever.
 */
const PREDICT: ActivityOptions = {
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '10m',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '1s', maximumAttempts: 2 },
};

/**
 * The wall limit of a run is the shim's, so this timeout only has to be longer than any of them. Heartbeats are most of
 * the bill: 5 min. A lost worker is tried again at once, since the run goes on without it and is adopted. Cancellation
 * is asked for and not waited for: a run is ended by `stopRun`, and its host may be gone.
 */
const AGENT: ActivityOptions = {
  startToCloseTimeout: '30d',
  heartbeatTimeout: '5m',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
};

/** As for agents: the check's own timeout ends it. Its host is watched by the caller. */
const CHECK: ActivityOptions = {
  startToCloseTimeout: '1d',
  heartbeatTimeout: '1m',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
};

/** Ends processes: seconds. Waits for its host for ever, unless the task ends without it. */
const STOP: ActivityOptions = {
  startToCloseTimeout: '1m',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
};

/**
 * Work that nobody waits for, so it may fail: what a task leaves on its host the janitor takes away later, and waits for
 * a forge are forgotten in the sweep when their time is over. A check ref may stay on the remote.
 */
const BEST_EFFORT: ActivityOptions = {
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '20s',
  retry: { initialInterval: '1s' },
};

/** `summary` is what the Web UI shows for the activity. */
export const records = (queuePrefix: string, summary: string): RecordActivities =>
  proxyActivities<RecordActivities>({ ...RECORDS, taskQueue: controlQueue(queuePrefix), summary });

type GitClass = 'git' | 'publish' | 'predict' | 'stop' | 'best-effort';
const GIT_CLASSES: Record<GitClass, ActivityOptions> = {
  git: GIT,
  publish: PUBLISH,
  predict: PREDICT,
  stop: STOP,
  'best-effort': BEST_EFFORT,
};

export const gitOn = (queuePrefix: string, host: string, summary: string, kind: GitClass = 'git'): GitActivities =>
  proxyActivities<GitActivities>({ ...GIT_CLASSES[kind], taskQueue: hostQueue(queuePrefix, host, 'git'), summary });

export const agentOn = (queuePrefix: string, host: string, summary: string): AgentActivities =>
  proxyActivities<AgentActivities>({ ...AGENT, taskQueue: hostQueue(queuePrefix, host, 'agent'), summary });

export const checkOn = (queuePrefix: string, host: string, summary: string): CheckActivities =>
  proxyActivities<CheckActivities>({ ...CHECK, taskQueue: hostQueue(queuePrefix, host, 'check'), summary });
