/** What a landing is made of. The protocol is described in docs/landing.md. */
import type { FailedCheck, VerdictKind } from '../checks/types.js';
import type { CheckoutBehind, Landed, Priority } from '../tasks.js';

/** How a change becomes commits of base. */
export type LandingStrategy = 'rebase-ff' | 'merge' | 'squash';

/** `auto` is a merge where the range holds merges, else rebase-ff. `pr` is the same, and shown as a pull request. */
export type Strategy = 'auto' | 'pr' | LandingStrategy;

/** What makes an entry that entry: entry id = H(repo, base, task, generation, head, try). */
export interface EntryIdentity {
  repo: string;
  base: string;
  /** `web/ET-012` */
  task: string;
  workItem: string;
  generation: number;
  /** The head on the remote at refs/signalbox/heads/<work item>. */
  head: string;
  /** Rises with each enqueue. */
  try: number;
  entry: string;
}

/** Sent with `enqueue`. */
export interface EnqueueRequest extends EntryIdentity {
  /** Workflow that hears `mergeSettled`. */
  workflowId: string;
  title: string;
  priority: Priority;
  /** RFC 3339 UTC, whole seconds. */
  enqueuedAt: string;
  /** The commit of another task that this one was cut from: it and what is before it are not this task's to land. */
  stackBase?: string;
}

/** New words of a task whose entry waits. `version` rises with each change: an older one that comes late is no news. */
export interface EntryChange {
  version: number;
  title: string;
  priority: Priority;
}

/** What people decided about an entry that waits, as its row has it. `version` rises with each change. */
export interface EntryEdit {
  version: number;
  /** Stands over that of the task; null = that of the task. */
  priority: Priority | null;
  /** May land while base is frozen. */
  fix: boolean;
}

/**
 * Everything that decides the bytes of a landing. The commit ids follow from it alone:
 * plan = H(base oid, entry, head oid, strategy, message, attributes hash, timestamp, stack base if any).
 */
export interface LandingPlan {
  plan: string;
  entry: EntryIdentity;
  /** `auto` is resolved by now. */
  strategy: LandingStrategy;
  baseOid: string;
  /** Tip ref (refs/signalbox/tip/<base>) that the landing replaces. */
  lastTip: string;
  /** Message of the landing commit without trailers. */
  message: string;
  /** The head of another task that the range begins after; absent = the range begins at base. */
  stackBase?: string;
  /** Blob oid of the attributes file built from base's `.gitattributes`, or null. */
  attributes: string | null;
  /** Whole seconds since the epoch. */
  timestamp: number;
  /** Results: what base will be, and its tree. */
  commit: string;
  tree: string;
}

/** A landing that was proven by reading the remote back. */
export interface Landing extends Landed {
  entry: string;
  task: string;
  generation: number;
  head: string;
  /** `unknown`: the record was lost and made again from git, which does not say. */
  verdict: VerdictKind | 'unknown';
}

export interface ConflictFacts {
  paths: string[];
  /** The conflicted regions as git shows them, cut to 32 KiB. */
  hunks: string;
  /** Where both sides come from; absent in what was found before there was that. */
  origin?: ConflictOrigin;
}

export interface ConflictOrigin {
  /** Commits. */
  head: string;
  common: string;
  /** What each side did to the first of the paths since the common ancestor: diffs, cut. */
  sides: { path: string; base: string; head: string }[];
}

export type PrepareResult =
  | { kind: 'planned'; plan: LandingPlan }
  /** Base already contains the head: nothing to land. */
  | { kind: 'contained'; baseOid: string }
  /** This entry, or this task in this generation, landed before. */
  | { kind: 'landed'; landing: Landing }
  | { kind: 'conflict'; conflict: ConflictFacts; baseOid: string }
  /** Never landable as it is: forged trailers, hostile tree, a missing head. */
  | { kind: 'refused'; reason: string }
  | { kind: 'blocked'; block: QueueBlock };

/** The queue makes `checkoutBehind` a part of the landing. */
export interface PublishedLanding {
  kind: 'landed';
  landing: Landing;
  checkoutBehind?: CheckoutBehind;
}

export type PublishResult =
  | PublishedLanding
  /** Base or fence moved: fence, prepare again, keep the place. */
  | { kind: 'stale'; reason: string }
  /** A pause or freeze stood in the store at the moment of publishing. */
  | { kind: 'gated'; reason: string }
  /** The task no longer wants it. */
  | { kind: 'unwanted'; reason: string }
  | { kind: 'blocked'; block: QueueBlock };

/** What the fence + resolve of a doubtful plan found. */
export type FenceResult =
  PublishedLanding | { kind: 'not-landed'; tip: string } | { kind: 'blocked'; block: QueueBlock };

export type BlockCode =
  | 'base-rewound'
  | 'base-missing'
  | 'base-red'
  | 'foreign-lock'
  | 'tip-missing'
  | 'push-refused'
  /** Another instance lands on the remote now. */
  | 'remote-taken'
  /** The store does not take an outcome, for a reason that waiting does not mend. */
  | 'record-refused';

export interface QueueBlock {
  code: BlockCode;
  reason: string;
  /** The command that clears it, as a user types it; null when it clears by itself. */
  clearedBy: string | null;
  /** The base tip when the block was raised: a newer one may clear `base-red`. */
  baseOid: string | null;
  since: string;
}

/** How an entry left the queue; told to its task, and again whenever the same entry is enqueued. */
export type MergeOutcome =
  | { kind: 'landed'; landing: Landing }
  | { kind: 'contained' }
  | { kind: 'conflict'; conflict: ConflictFacts; baseOid: string }
  | { kind: 'red'; failed: FailedCheck | null }
  | { kind: 'refused'; reason: string }
  | { kind: 'withdrawn'; reason: string };

export type EntryPhase = 'queued' | 'preparing' | 'checking' | 'publishing';
export type QueueStateName = 'running' | 'paused' | 'draining' | 'frozen' | 'blocked';

/** A pause, drain or freeze of a repository, or of one base of it (`base` null = all). */
export interface Gate {
  id: number;
  repo: string;
  kind: 'pause' | 'drain' | 'freeze';
  scope: 'all' | 'admission' | 'landing';
  base: string | null;
  reason: string;
  by: string;
  since: string;
}

/** What is known of how long landings take: when they land is counted from it at the moment of asking. */
export interface QueuePace {
  /** Milliseconds that the last ones took. */
  durations: number[];
  /** When the first was taken up, RFC 3339; null when it was not, or was held since. */
  startedAt: string | null;
}

/** The queue as its query shows it; the API says when the entries land. */
export interface QueueView {
  repo: string;
  base: string;
  state: QueueStateName;
  reason: string | null;
  block: QueueBlock | null;
  /** Absent in a picture that was stored before there was any. */
  pace?: QueuePace;
  entries: {
    entry: string;
    task: string;
    position: number;
    phase: EntryPhase;
    head: string;
    priority: Priority;
    /** May land while base is frozen. */
    fix: boolean;
    since: string;
    detail: string | null;
    /** The task whose repair comes first; absent in a picture that was stored before there was that. */
    waitsFor?: string | null;
  }[];
}
