/** Predicted conflicts: what git says of merging live work, and which tasks that concerns. docs/landing.md describes it. */

/** Two commits, by id. `a` is base, else the lower id of two heads: each pair is asked once. */
export interface Pair {
  a: string;
  b: string;
}

/** What git said of a pair. `unrelated`: no common history, so that nothing can be said; it is no conflict. */
export interface Prediction extends Pair {
  kind: 'clean' | 'conflict' | 'unrelated';
  /** The conflicted paths, the first of them. */
  paths: string[];
}

/** The work of a live task, as the remote has it. */
export interface LiveHead {
  /** `web/ET-012` */
  task: string;
  head: string;
  /** Place in the merge queue from 1; null = not in it. */
  place: number | null;
}

/** What the work of a task does not merge with. */
export interface Obstacle {
  /** `entry`: work that is ahead of it in the merge queue. */
  kind: 'base' | 'entry';
  /** Name of the base branch, or of the other task. */
  name: string;
  /** The commit of it that was looked at. */
  oid: string;
  paths: string[];
}

/** Work that cannot land as things are. Stands from the scan that saw it first to the one that does not see it. */
export interface ConflictFlag {
  task: string;
  head: string;
  /** RFC 3339 UTC. */
  since: string;
  against: Obstacle[];
}

/** What one scan did. */
export interface ScanReport {
  /** Live tasks that were looked at. */
  scanned: number;
  /** Of these, those that were flagged anew. */
  flagged: number;
  /** Flags that were taken back. */
  cleared: number;
  /** Flags that were told of: each once. */
  notified: number;
}
