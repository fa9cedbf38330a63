/** The parts of the API's answers that commands read. */
import type { Counters, Cost, Landed, Waiting } from '../domain/tasks.js';

export interface TaskAnswer {
  repo: string;
  workItem: string;
  task: string;
  workflowId: string;
  title: string;
  state: string;
  stage: string;
  branch: string;
  head: string | null;
  dependsOn: { task: string; onFailure: string; stack: boolean }[];
  waitingOn: Waiting | null;
  landed: Landed | null;
  pullRequest: { number: number | null; url: string | null; state: string | null; behind: string | null } | null;
  endReason: string | null;
  counters: Counters;
  cost: Cost;
  generation: number;
  createdAt: string;
  updatedAt: string;
  pipeline: { stages: { name: string; kind: string; of?: string; artifact?: string | null }[] };
}

export interface DecidedTask extends TaskAnswer {
  decision: { stage: string; sha: string; verdict: string; by: string; at: string };
}

export interface List<T> {
  items: T[];
  next: string | null;
}

export interface RepoAnswer {
  id: string;
  remote: string;
  base: string;
  workItemPrefix: string;
  merge: { strategy: string };
  checks: { name: string; command?: string[]; context?: string }[];
  forge: { kind: string; api: string; project: string } | null;
  setup: { command: string[] } | null;
  pipeline: { stages: { name: string }[] } | null;
  notes: string[];
  adoptedAt: string;
}

export interface RunAnswer {
  id: string;
  task: string;
  stage: string;
  attempt: number;
  agent: string;
  status: string;
  exitCode: number | null;
  failureClass: string | null;
  costUsd: number | null;
  host: string;
  pid: number | null;
  startedAt: string;
  finishedAt: string | null;
}

export interface CheckAnswer {
  id: string;
  status: string;
  error: string | null;
  startedAt: string | null;
}

export const TERMINAL = ['done', 'failed', 'cancelled'];
