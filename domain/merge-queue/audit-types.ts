/** What the audit of a base branch looks at, and what it says. */
import type { CommitObject } from './commit.js';
import type { ProvenFacts } from './plan.js';
import type { Landing } from './types.js';

export interface HistoryCommit extends CommitObject {
  oid: string;
  /** Blob oid of the attributes of the base that it claims to be made on; null = none. */
  attributes: string | null;
  /** Among the first parents of base; the others came by somebody's merge. */
  onLine: boolean;
}

/** What making a landing again from its parts gave. */
export type Again = { kind: 'same' } | { kind: 'head-gone' } | { kind: 'differs'; how: string };

/** What the remote says, read at one moment. */
export interface AuditHistory {
  /** Where the audit begins, itself left out: the adoption, or a commit that was asked for. */
  from: string;
  /** Base. */
  to: string;
  /** What base has since `from`, oldest first: each first parent, and of the other commits ours. */
  commits: HistoryCommit[];
  /** The tip ref; null = it is missing. */
  tip: string | null;
  /** Commits of base since `from` that the tip ref does not remember. */
  notInTip: string[];
  /** Our commits that the tip ref remembers and base does not have. */
  lost: HistoryCommit[];
  /** Of `from` and the commits that were asked about: those that base does not have. */
  absent: string[];
  /** By landing commit. */
  again: Record<string, Again>;
  /**
   * Whole seconds since the epoch. Landings that base lost and that landed before this are not asked about: those that
   * the store has, and those that only the tip ref remembers, which may be of an earlier registration of the remote.
   */
  recordedSince: number;
  rememberedSince: number;
}

/** A rewind of base that a person accepted: base was at `tip` then. */
export interface AcceptedRewind {
  tip: string;
  /** RFC 3339 UTC. */
  at: string;
}

export interface AuditFacts {
  repo: string;
  base: string;
  history: AuditHistory;
  /** Landings that the store has for this base. */
  rows: readonly Landing[];
  /** Trees with a green verdict in the store. */
  greenTrees: readonly string[];
  /** Entries that the store has not settled yet. */
  openEntries: readonly string[];
  accepted: readonly AcceptedRewind[];
  /** The repository has checks now. */
  hasChecks: boolean;
  /** A person's push is an offence. */
  strict: boolean;
}

export type OffenceCode =
  | 'unproven-tree'
  | 'entry-twice'
  | 'forged-trailer'
  | 'rewound-landing'
  | 'unrecorded-landing'
  | 'tip-broken'
  | 'row-differs'
  | 'foreign';

export type NoteCode =
  'head-gone' | 'accepted-rewind' | 'being-recorded' | 'landed-without-checks' | 'verdict-not-kept';

export interface Finding<Code extends string> {
  code: Code;
  commit: string;
  task: string | null;
  entry: string | null;
  detail: string;
}

export type Offence = Finding<OffenceCode>;
export type Note = Finding<NoteCode>;

export interface ForeignCommit {
  commit: string;
  author: string;
  subject: string;
}

export interface AuditReport {
  repo: string;
  base: string;
  from: string;
  to: string;
  /** Commits of base that are landings or claim to be. */
  landings: number;
  /** Of these, those with nothing against them and, where checks were required, with their verdict. */
  proven: number;
  foreign: ForeignCommit[];
  offences: Offence[];
  notes: Note[];
  ok: boolean;
}

/** A landing in its history: `segment` is its commits, itself last. */
export interface AuditedLanding {
  commit: HistoryCommit;
  facts: ProvenFacts;
  segment: string[];
}

/** A commit that says it is a landing and is none. */
export interface ForgedClaim {
  commit: HistoryCommit;
  forged: string;
}

export type Claim = AuditedLanding | ForgedClaim;
