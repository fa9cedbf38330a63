import type { LandingPlan } from '../merge-queue/types.js';

/** Checks and verdicts. A verdict belongs to (tree, config hash): the same content checked the same way. */

export type CheckConfig = CommandCheck | ExternalCheck;

/** Run by us. */
export interface CommandCheck {
  name: string;
  kind: 'command';
  /** argv, never a shell string. */
  command: string[];
  /** Milliseconds. */
  timeout: number;
  env: Record<string, string>;
  /** Gives the check a throw-away `.git` with history; its verdict key then includes the commit. */
  needsHistory: boolean;
}

/** Said by the forge: a status or a check on the commit that is put at a check ref. */
export interface ExternalCheck {
  name: string;
  kind: 'external';
  /** The forge's name of it. */
  context: string;
  /** Milliseconds without an end after which it is a fault. */
  timeout: number;
}

/** Runs at most once per clone and per checked tree. */
export interface SetupConfig {
  command: string[];
  /** Milliseconds. */
  timeout: number;
  cache: string[];
  cacheKey: string[];
}

export interface FailedCheck {
  name: string;
  command: string[];
  /** Exit code, or null when a signal ended it. */
  exitCode: number | null;
  /** The last 200 lines of its output at most, cut to 32 KiB. */
  tail: string;
}

/** `none`: the repository has no checks. `fault`: infrastructure (timeout, lost host), never a red. */
export type VerdictKind = 'green' | 'red' | 'none' | 'fault';

export interface Verdict {
  /** `<repo>/<tree>/<config hash>`: the key, and the tail of the check workflow's id. */
  key: string;
  repo: string;
  tree: string;
  configHash: string;
  verdict: VerdictKind;
  failed: FailedCheck | null;
  /** A first red turned green on its one re-run. */
  flaky: boolean;
  reason: string | null;
  at: string;
}

/** Where the content to check can be found by any host: a commit on the remote, or a plan that recomputes it. */
export type CheckSource =
  | { kind: 'head'; workItem: string; commit: string }
  | { kind: 'base'; branch: string; commit: string }
  | { kind: 'plan'; plan: LandingPlan };

export type CheckRunResult =
  | { kind: 'green'; seconds: number }
  | { kind: 'red'; seconds: number; failed: FailedCheck }
  | { kind: 'fault'; reason: string };
