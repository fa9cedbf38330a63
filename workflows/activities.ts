/**
 * What workflows may ask the world to do: one interface per task queue. Implemented under activities/; the proxies,
 * one per reliability class, are in workflows/proxies.ts.
 */
import type { DependencyNow } from '../domain/pipeline/dependencies.js';
import type { CheckNews } from '../domain/pipeline/events.js';
import type { AgentStage } from '../domain/pipeline/types.js';
import type { Feedback, RunReport, RunRequest } from '../domain/agents/types.js';
import type { CheckStep } from '../domain/checks/external.js';
import type { CheckRunResult, CheckSource, ExternalCheck, Verdict } from '../domain/checks/types.js';
import type { StatusReading } from '../domain/forges.js';
import type { ScanReport } from '../domain/conflicts/types.js';
import type { CarriedQueue } from '../domain/merge-queue/carry.js';
import type { QueueTimes } from '../domain/merge-queue/state.js';
import type {
  EnqueueRequest,
  EntryChange,
  EntryIdentity,
  FenceResult,
  Gate,
  LandingPlan,
  MergeOutcome,
  PrepareResult,
  PublishResult,
  QueueView,
} from '../domain/merge-queue/types.js';
import type { Decision, TaskMirror } from '../domain/tasks.js';

export type RunGrant =
  | { granted: true; host: string }
  /** No slot or no live host: the job waits in line; `runGranted` comes when it is its turn. */
  | { granted: false; ahead: number; reason: string };

export interface RunAgentInput {
  run: RunRequest;
  host: string;
  stage: AgentStage;
  branch: string;
  base: string;
  /** Overrides by a redo. */
  overrides: { model: string | null; effort: string | null; prompt: string | null };
  feedback: Feedback[];
  /** Paths of the pipeline's documents: the report says which blob is there, since an approval is of a blob. */
  artifacts: string[];
  /** Head that the branch is reset to before the run, when the clone has to be made anew; null = start from base. */
  head: string | null;
  /** The commit of another task to start from while there is no head; null, or absent from an earlier version: base. */
  stackBase?: string | null;
  mirror: TaskMirror;
}

/** Postgres; seconds. Infrastructure errors are retried for ever, data errors end in a wait for a person. */
export interface RecordActivities {
  mirrorTask(mirror: TaskMirror): Promise<void>;
  /** The tasks that come before this one, as their rows are now. */
  dependencies(repo: string, workItem: string, mirror: TaskMirror): Promise<DependencyNow[]>;
  /** Puts the job in line (idempotent by run id) and grants a slot if one is free. */
  requestRun(run: RunRequest, mirror: TaskMirror): Promise<RunGrant>;
  /** Takes a job that was not started out of the line, or marks one whose host is lost; gives its slot on. */
  dropRun(runId: string, reason: string): Promise<void>;
  /** Gives the decision that counts, by whoever made it as far as that can be known. */
  recordDecision(
    repo: string,
    workItem: string,
    generation: number,
    decision: Decision,
    intent: number | null,
    mirror: TaskMirror,
    /** Absent from an earlier version. */
    blob?: string | null,
  ): Promise<Decision>;
  /** The verdict if there is one, else starts or joins the check workflow with a subscription for `subscriber`. */
  requestCheck(input: CheckRequest): Promise<CheckAnswer>;
  /** The checks of this workflow were given up: nobody wants their verdict any more. */
  dropCheck(workflowId: string, reason: string): Promise<void>;
  /** Stores a verdict, once; the first one stays. */
  recordVerdict(verdict: Verdict, runs: CheckRunResult[]): Promise<Verdict>;
  /** Row + signal-with-start of the queue; the same entry again re-tells its outcome if it is settled. */
  enqueueLanding(
    request: EnqueueRequest,
    mirror: TaskMirror,
  ): Promise<{ settled: MergeOutcome | null; position: number | null }>;
  /** Tells the queue the title and priority of an entry anew; nothing when it is not running. */
  changeLanding(repo: string, base: string, entry: string, change: EntryChange): Promise<void>;
  withdrawLanding(repo: string, base: string, entry: string, reason: string): Promise<void>;
  /** Rows for the queue's entries, its state, and settled outcomes; landings are written here, once. */
  recordQueue(update: QueueRecord): Promise<void>;
  readGates(repo: string): Promise<Gate[]>;
  /** A live host for this kind of work, the preferred one if it lives; null when none does. */
  liveHost(kind: 'git' | 'check', prefer: string | null): Promise<{ host: string | null }>;
}

export interface CheckRequest {
  repo: string;
  /** Names of checks, in order; null = all of the repository. */
  checks: string[] | null;
  /** `base-now`: whatever the base branch is when this is asked; the activity resolves it to a commit. */
  source: CheckSource | { kind: 'base-now'; branch: string };
  subscriber: string;
  /** Written with the request, when a task asks. */
  mirror: TaskMirror | null;
}

/** `backoff`: of the settings in force now, for whoever has to ask again. */
export type CheckAnswer = CheckNews;

/** Input of the check workflow. */
export interface CheckInput {
  key: string;
  repo: string;
  tree: string;
  configHash: string;
  checks: string[] | null;
  /** Where some are external; absent = all are commands, and one run. */
  steps?: CheckStep[];
  source: CheckSource;
  queuePrefix: string;
  subscribers: string[];
  settings: CheckTimes;
}

/** From the settings of the starter, because workflow code holds no durations. Milliseconds. */
export interface CheckTimes {
  /** AGENT_STALE: how long the host of a run is trusted before its presence is asked for again. */
  hostStale: number;
  backoffBase: number;
  backoffMax: number;
  /** MAX_ATTEMPTS: faults in a row after which the verdict is `fault`. */
  maxAttempts: number;
}

/** Input of the mergeQueue workflow; `state` is carried over a continue-as-new. */
export interface MergeQueueInput {
  repo: string;
  base: string;
  queuePrefix: string;
  settings: QueueTimes;
  state: CarriedQueue | null;
  /** Continue as new after so many settled entries; null = when the server suggests it. */
  settledPerRun: number | null;
}

export interface QueueRecord {
  view: QueueView;
  /** Workflow run id and a counter: an older picture never wins. */
  runId: string;
  seq: number;
  settled: { identity: EntryIdentity; outcome: MergeOutcome }[];
}

/** `put`: the forge can speak of the commit now. */
export type ExternalPut = { kind: 'put'; commit: string } | { kind: 'refused'; reason: string };

/** `refused`: asking again gives no other answer. */
export type ExternalLook = { kind: 'read'; reading: StatusReading } | { kind: 'refused'; reason: string };

/** On the host's git queue: the gate repository; minutes. */
export interface GitActivities {
  /**
   * `acceptTip`: a person accepted that base was rewound to this commit. From then until the next landing it stands in
   * for the last landed commit in step 0: base must be it or contain it.
   */
  prepareLanding(request: EnqueueRequest, acceptTip: string | null): Promise<PrepareResult>;
  /** One publish at a time per queue; heartbeats; looks before it acts. `tree` is the tree of the verdict. */
  publishLanding(plan: LandingPlan, verdict: { kind: 'green' | 'none'; tree: string }): Promise<PublishResult>;
  /** Replaces the tip by a nonce commit, leased, then resolves the plan. Safe to repeat. */
  fenceLanding(repo: string, base: string, plan: LandingPlan | null): Promise<FenceResult>;
  /** Puts the content of a verdict at its check ref and notes who waits. Safe to repeat. */
  putExternalCheck(input: CheckInput, check: ExternalCheck): Promise<ExternalPut>;
  /** One look at the forge. */
  readExternalCheck(input: CheckInput, check: ExternalCheck, commit: string): Promise<ExternalLook>;
  /** Takes the check ref away where it still holds that content; nobody waits any more. */
  dropExternalChecks(input: CheckInput): Promise<void>;
  /**
   * Looks at the live work of a base branch: what does not merge is kept, flagged and told. `report` null: a later scan
   * has done it. Safe to repeat.
   */
  predictConflicts(repo: string, base: string): Promise<{ baseOid: string; report: ScanReport | null }>;
  /** Ends the processes of a run now. `graceMs`: what they may take to end in order, unless the default does. */
  stopRun(runId: string, reason: string, graceMs?: number): Promise<void>;
  /** Deletes clone and run directories of a task that is over. */
  cleanUpTask(repo: string, workItem: string): Promise<void>;
}

/** On the host's agent queue; hours. */
export interface AgentActivities {
  runAgent(input: RunAgentInput): Promise<RunReport>;
}

/** On the host's check queue. */
export interface CheckActivities {
  runCheck(input: CheckInput, attempt: number): Promise<CheckRunResult>;
}
