/** What a merge queue remembers: plain JSON, carried whole over a continue-as-new. */
import type { FailedCheck, Verdict } from '../checks/types.js';
import type {
  EnqueueRequest,
  EntryEdit,
  EntryIdentity,
  EntryPhase,
  Gate,
  LandingPlan,
  MergeOutcome,
  QueueBlock,
} from './types.js';

/** From the settings of the starter; milliseconds. */
export interface QueueTimes {
  /** MERGE_LEASE: how long a publish may go unanswered before a live host may fence it and take over. */
  mergeLease: number;
  /** AGENT_STALE: the same for work that is safe to do twice. */
  hostStale: number;
  backoffBase: number;
  backoffMax: number;
  /** REPAIR_WAIT: how long an entry waits for the repair of another one; absent from what was sent before there was that. */
  repairWait?: number;
}

export interface QueueEntry {
  request: EnqueueRequest;
  /** Version of the words in `request`; 0 = as they came. */
  changed: number;
  /** Rises with each arrival: the age, free of anybody's clock. */
  seq: number;
  /** What people decided about it; absent = nothing. */
  edit?: EntryEdit;
  /** Epoch ms of the arrival. */
  since: number;
  /** How many that came later were taken up before it; absent = none. */
  passed?: number;
  phase: EntryPhase;
  /** When it was first taken up; null while it only waited. */
  startedAt: number | null;
  /** It stood still since then for what is no part of a landing: a gate, a block, no host. */
  held?: boolean;
  plan: LandingPlan | null;
  /** Verdict of the plan's tree; null = not known yet. */
  verdict: 'green' | 'none' | 'red' | null;
  failed: FailedCheck | null;
  /** Key of the check workflow (of the plan's tree, or after a red of the base's) that will signal. */
  awaited: string | null;
  /** A publish of `plan` was sent: leaves un-landed only after fence + resolve. */
  began: boolean;
  /** Epoch ms until which only the host of that publish may go on with it. */
  leaseUntil: number | null;
  /** Fence + resolve come before anything else. */
  needsFence: boolean;
  /** The tip ref was lost while the push is in doubt: a prepare makes it anew, then it can be fenced. */
  restoreTip: boolean;
  /** Its landing was on base and was taken away again by somebody: never pushed a second time. */
  rewound: boolean;
  /** Somebody wants it out; the reason. */
  withdraw: string | null;
  /** Epoch ms before which nothing is tried (backoff), or at which a pending check is asked for again. */
  retryAt: number | null;
  tries: number;
  detail: string | null;
  /** The repair that it waits for (repairs.ts), in which paths (or ids of them, path-ids.ts), until when (epoch ms); absent or null = none. */
  waitsFor?: { task: string; paths: string[]; until: number } | null;
  /** Epoch ms from which it waits for no repair; absent = it never did. */
  patience?: number;
}

/** A task that was sent back to mend a conflict, and has neither landed nor left since. */
export interface Repair {
  task: string;
  /** Or ids of them (path-ids.ts). */
  paths: string[];
  /** Epoch ms from which nobody waits for it. */
  until: number;
}

/** What an entry is when it comes, beside what it brings. */
export const FRESH: Omit<QueueEntry, 'request' | 'seq' | 'since'> = {
  changed: 0,
  phase: 'queued',
  startedAt: null,
  plan: null,
  verdict: null,
  failed: null,
  awaited: null,
  began: false,
  leaseUntil: null,
  needsFence: false,
  restoreTip: false,
  rewound: false,
  withdraw: null,
  retryAt: null,
  tries: 0,
  detail: null,
};

export interface SettledEntry {
  identity: EntryIdentity;
  workflowId: string;
  outcome: MergeOutcome;
  /** In Postgres; only then the task is told. */
  recorded: boolean;
}

export type CallKind =
  'pickHost' | 'prepare' | 'check' | 'checkBase' | 'publish' | 'fence' | 'readGates' | 'record' | 'predict' | 'letGo';

/** A command that was given and not answered yet. Answers to calls that are not listed are late ones: ignored. */
export interface Call {
  id: number;
  kind: CallKind;
  entry: string | null;
  /** When to ask whether the host still lives; git calls only. */
  probeAt: number | null;
  /** With `record`: the settled entries in it. */
  settled: string[];
}

export interface QueueState {
  repo: string;
  base: string;
  nextSeq: number;
  nextCall: number;
  /** Not in order: order.ts decides. */
  entries: QueueEntry[];
  /** Newest last; at most 200, but never one that is not recorded. */
  settled: SettledEntry[];
  /** Withdrawn before they were heard of: messages may overtake each other. Bounded. */
  tombstones: { entry: string; reason: string }[];
  calls: Call[];
  /** The active gates of the repository; null = not read yet, nothing starts. */
  gates: Gate[] | null;
  gatesWanted: boolean;
  gatesRetryAt: number | null;
  /** Ids of gate signals that carried an acceptTip, so that an old one that is repeated changes nothing. */
  seenGates: string[];
  /** While draining: entries with a lower seq may still land. */
  drainBefore: number | null;
  block: QueueBlock | null;
  /** An outcome that the store refuses; stands beside whatever else blocks. */
  recordBlock: QueueBlock | null;
  /** The block is being tried: everything but publish may go on. */
  probing: boolean;
  blockRetryAt: number | null;
  /** A rewind of base that a person accepted; until the next landing. */
  acceptTip: string | null;
  host: string | null;
  /** When the host last answered or was picked. */
  hostSeenAt: number | null;
  hostRetryAt: number | null;
  recordRetryAt: number | null;
  /** Failures in a row, for the backoff. */
  tries: { host: number; gates: number; record: number; block: number };
  /** Why rows cannot be read or written now; null = they can. */
  fault: string | null;
  /** The visible picture last given to `record`. */
  mirrored: string;
  /** Verdicts whose signal came before the answer that names their key; newest last, bounded. */
  verdicts: Verdict[];
  /** Milliseconds that the last ones took that were not held, from being taken up to their end, however they ended. */
  durations: number[];
  /** Count who was passed (order.ts); not in a run that began before there was such a count. */
  aging: boolean;
  /** Predict conflicts, and order repairs; not in a run that began before there was that. */
  conflicts: boolean;
  /** Tell checks that nobody waits for them; not in a run that began before there was that. */
  letGo: boolean;
  /** What the prediction looked at has changed. */
  predictWanted: boolean;
  /** Where base was seen last; null = not yet. */
  baseSeen: string | null;
  /** Oldest first. */
  repairs: Repair[];
  /** Start nothing new: the run is about to continue as new. */
  hold: boolean;
}

export function emptyQueue(repo: string, base: string): QueueState {
  return {
    repo,
    base,
    nextSeq: 1,
    nextCall: 1,
    entries: [],
    settled: [],
    tombstones: [],
    calls: [],
    gates: null,
    gatesWanted: true,
    gatesRetryAt: null,
    seenGates: [],
    drainBefore: null,
    block: null,
    recordBlock: null,
    probing: false,
    blockRetryAt: null,
    acceptTip: null,
    host: null,
    hostSeenAt: null,
    hostRetryAt: null,
    recordRetryAt: null,
    tries: { host: 0, gates: 0, record: 0, block: 0 },
    fault: null,
    mirrored: '',
    verdicts: [],
    durations: [],
    aging: true,
    conflicts: true,
    letGo: true,
    predictWanted: false,
    baseSeen: null,
    repairs: [],
    hold: false,
  };
}
