/** What is asked of a forge. One small interface; a file for each kind of forge behind it. */
import type { PullRequestState, StatusReading, StatusState } from '../../domain/forges.js';

export interface PullRequest {
  number: number;
  /** For people. */
  url: string;
  state: PullRequestState;
  /** The head that the forge has recorded for it. */
  head: string;
  title: string;
  body: string;
}

export interface PullRequestText {
  title: string;
  body: string;
}

export interface StatusToSet {
  context: string;
  state: StatusState;
  /** One line, at most 140 characters. */
  description: string;
}

/** `ok: false`: the rule of the forge that stands in the way, as its people know it. */
export type PushRight = { ok: true } | { ok: false; rule: string };

/**
 * Every call throws `forge-infrastructure` where the forge cannot be asked now, `forge-refused` with its reason where
 * it refuses; neither holds the token.
 */
export interface Forge {
  /** The newest pull request from this branch of the project itself to `base`; null where there is none. */
  findPullRequest(branch: string, base: string): Promise<PullRequest | null>;
  /** Opens one, or gives the one that is open already. */
  openPullRequest(request: PullRequestText & { branch: string; base: string }): Promise<PullRequest>;
  updatePullRequest(number: number, text: PullRequestText): Promise<void>;
  closePullRequest(number: number): Promise<void>;
  /** Has an open one marked as merged with this commit; false where this kind of forge cannot. */
  markMerged(number: number, commit: string): Promise<boolean>;
  setStatus(sha: string, status: StatusToSet): Promise<void>;
  readStatus(sha: string, context: string): Promise<StatusReading>;
  /** Whether the token may push to this branch. */
  mayPush(branch: string): Promise<PushRight>;
}
