/** Agent profiles, runs and what a run came to. */
import type { ConflictOrigin } from '../merge-queue/types.js';

export interface AgentProfile {
  name: string;
  adapter: 'command';
  /** argv. */
  command: string[];
  env: Record<string, string>;
  model: string | null;
  effort: string | null;
  limits: { wallMs: number; stallMs: number; outputBytes: number };
  sandbox: 'auto' | 'none';
}

export interface Usage {
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheCreationTokens: number;
  /** null = unknown, never 0 in its place. */
  costUsd: number | null;
  model: string | null;
}

export type FailureClass =
  | 'exit-code'
  | 'signal'
  | 'wall-limit'
  | 'stall-limit'
  | 'bad-result'
  | 'no-commit'
  | 'no-document'
  | 'refused-import'
  | 'setup-failed'
  | 'verdict-fail'
  | 'transient'
  | 'stopped'
  | 'host-lost'
  | 'profile-missing';

/**
 * What a run came to, decided by domain/agents/outcome.ts from the exit record, the result file, git and our own kill
 * marker, in that order of trust. Only `fault` spends the attempt budget.
 */
export type RunOutcome =
  | { kind: 'passed'; summary: string | null }
  | { kind: 'failed'; summary: string | null }
  | { kind: 'needs-human'; question: string; summary: string | null }
  | { kind: 'fault'; failureClass: FailureClass; reason: string; summary: string | null }
  | { kind: 'transient'; failureClass: 'transient' | 'host-lost'; reason: string; retryAfterSeconds: number | null }
  | { kind: 'stopped'; reason: string };

/** Told to the task workflow when a run is over; logs and transcripts stay on disk, by reference. */
export interface RunReport {
  runId: string;
  outcome: RunOutcome;
  /** Head of the task's branch as read back from the remote; null if nothing is there yet. */
  head: string | null;
  /** Where a branch that is stacked on another task's work began; absent for others. */
  stackBase?: string;
  /** Commits this run added. */
  commits: number;
  /** What a `forbidden` stage committed and lost, or leftovers that were committed for the agent. */
  notes: string[];
  /** For each path of RunAgentInput.artifacts its blob oid at `head`; null where there is no regular file. */
  artifacts: Record<string, string | null>;
}

/** Facts that go into the next prompt; texts longer than a few KiB stay in the store, by reference. */
export type Feedback =
  | { kind: 'finding'; stage: string; text: string }
  | { kind: 'rejection'; stage: string; text: string }
  | { kind: 'answer'; text: string; question: string | null }
  | { kind: 'fault'; stage: string; text: string }
  /** `baseOid` and `origin` are absent in what came back before there was that. */
  | { kind: 'conflict'; base: string; paths: string[]; hunks: string; baseOid?: string; origin?: ConflictOrigin }
  | { kind: 'red'; check: string; command: string[]; tail: string };

export interface RunRequest {
  runId: string;
  repo: string;
  workItem: string;
  generation: number;
  stage: string;
  /** n-th run of the stage in this generation, from 1. */
  attempt: number;
  /** Profile name. */
  agent: string;
  /** The host that holds the task's clone, if any: preferred. */
  preferHost: string | null;
  workflowId: string;
}
