import type { Feedback } from '../agents/types.js';
import type { Verdict } from '../checks/types.js';
import type { EnqueueRequest, EntryChange } from '../merge-queue/types.js';
import type { Counters, Decision, Landed, WaitCode } from '../tasks.js';
import type { DependencyNow, DependencyPoint } from './dependencies.js';
import type { BackoffTimes, RunOverrides } from './input.js';

/** What a person's reject, redo or cancel leads to once that which runs has ended. */
export type Afterwards =
  { kind: 'cancel'; reason: string; by: string } | { kind: 'redo'; stage: string; overrides: RunOverrides };

/** What an `answer` wait goes on with; `text` and `retry` may differ where no agent would read the text. */
export type Resume =
  /** The same stage, same visit, fresh budget. */
  | { kind: 'again' }
  /** Ask once more what comes first. */
  | { kind: 'dependencies'; at: DependencyPoint }
  /** Another stage, with facts for its prompt; `edge` is the back edge whose bound starts anew. */
  | { kind: 'goto'; stage: string; edge: string | null; feedback: Feedback[] };

/** What the task is in. Each one is a wait with an owner; times are RFC 3339 UTC, deadlines epoch milliseconds. */
export type Phase =
  | { kind: 'created'; since: string }
  /** Other tasks come first. `again`: news came while the rows were being read; `on`: empty until they were. */
  | {
      kind: 'dependency';
      since: string;
      at: DependencyPoint;
      ask: number;
      asking: boolean;
      again: boolean;
      on: DependencyNow[];
      retryAt: number;
    }
  /** In line for a slot. `asking`: the request is in flight. */
  | {
      kind: 'host';
      since: string;
      runId: string;
      asking: boolean;
      reason: string | null;
      ahead: number;
      retryAt: number;
    }
  /** `away`: since when the host is not heard of; a state of an earlier version has no such field. */
  | { kind: 'agent'; since: string; runId: string; host: string; away?: string | null }
  /** Told to stop; `host` null = it was still in line. */
  | { kind: 'stopping'; since: string; runId: string; host: string | null; retryAt: number; then: Afterwards }
  | { kind: 'backoff'; since: string; until: number; n: number; reason: string; resume: 'run' | 'check' }
  /** `of: base` follows a red: does the base share it? `early`: verdicts that came before the key was known. */
  | {
      kind: 'check';
      since: string;
      ask: number;
      of: 'head' | 'base';
      asking: boolean;
      key: string | null;
      workflowId: string | null;
      early: Verdict[];
      /** The red of the head, while its base is looked at; `shared`: the base had it when it was last looked at. */
      red: Verdict | null;
      shared: boolean;
      retryAt: number;
    }
  | { kind: 'base-red'; since: string; red: Verdict; retryAt: number }
  /** `next`: the stage after an approval that is asked for again because the document changed later. */
  | { kind: 'approval'; since: string; artifact: Artifact; next: number }
  | {
      kind: 'answer';
      since: string;
      code: WaitCode;
      detail: string;
      question: string | null;
      onAnswer: Resume;
      onRetry: Resume;
    }
  | {
      kind: 'merge-queue';
      since: string;
      request: EnqueueRequest;
      position: number | null;
      asking: boolean;
      /** Version of the words that the queue was given. */
      told: number;
      retryAt: number;
      /** Set once the task wants its entry out of the queue: the queue's answer decides. */
      then: Afterwards | null;
    }
  | { kind: 'ended'; since: string; state: 'done' | 'cancelled'; reason: string };

/** The document a person approves. `blob` null: no path, or nothing there. */
export interface Artifact {
  path: string | null;
  sha: string;
  blob: string | null;
}

/** The whole truth of one generation of a task: JSON, carried over by continue-as-new. */
export interface TaskState {
  phase: Phase;
  /** Index into the pipeline's stages. */
  stage: number;
  /** Title and priority as they are now; `version` 0 = as they were at the start. */
  words: EntryChange;
  /** Any run has begun. */
  begun: boolean;
  head: string | null;
  /** The commit of another task that the branch was cut from; null = base, absent in a state of an earlier version. */
  stackBase?: string | null;
  /** The host that holds the clone. */
  host: string | null;
  /** Counts runs per stage in this generation. */
  runs: Record<string, number>;
  /** The run that began last: late answers about it are no news. */
  lastRun: string | null;
  visit: { faults: number; transient: number; overrides: RunOverrides };
  /** How often each back edge (`review.onFail`) was taken since a person last looked. */
  edges: Record<string, number>;
  /** Number of enqueues, and of check requests. */
  tries: number;
  asks: number;
  /** For the prompt of the next run; kept until a run passes. */
  feedback: Feedback[];
  /** Last summary of each agent stage. */
  summaries: Record<string, string>;
  /** What each agent stage ended with, and the documents' blobs at the newest head. */
  results: Record<string, Artifact>;
  blobs: Record<string, string | null>;
  decisions: Decision[];
  /** Approval stage → what was approved there last. */
  approved: Record<string, Artifact>;
  counters: Counters;
  humanSeconds: number;
  landed: Landed | null;
  /** Things a person should know: what was lost at an import, a cancel that came too late. */
  notes: string[];
  /** As a record activity told last; the settings may have changed since the task began. */
  backoff?: BackoffTimes;
  /** Intents already applied: an update may arrive twice across a continue-as-new. */
  intents: number[];
}
