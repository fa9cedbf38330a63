import type { RunReport } from '../agents/types.js';
import type { Verdict } from '../checks/types.js';
import type { EntryChange, MergeOutcome } from '../merge-queue/types.js';
import type { Decision } from '../tasks.js';
import type { DependencyNow } from './dependencies.js';
import type { BackoffTimes, RunOverrides } from './input.js';

/** Everything that can happen to a task. Machine events carry the id of what they answer: others are no news. */
export type TaskEvent =
  | { type: 'begin' }
  /** The earliest deadline has come. */
  | { type: 'tick' }
  | { type: 'requestAnswered'; runId: string; granted: { host: string } | null; ahead: number; reason: string }
  | { type: 'granted'; runId: string; host: string }
  | { type: 'runFinished'; runId: string; report: RunReport }
  /** The row of a decision: with the name of who made it. */
  | { type: 'decisionRecorded'; decision: Decision }
  /** The host of the run is not heard of since then, or (null) is heard of again. */
  | { type: 'hostChanged'; runId: string; away: string | null }
  | { type: 'dependenciesAnswered'; ask: number; found: DependencyNow[] }
  /** A task that this one depends on ended, or may be stacked on. */
  | { type: 'dependencySettled'; task: string }
  | { type: 'checkAnswered'; ask: number; answer: CheckNews }
  | { type: 'checkSettled'; key: string; verdict: Verdict }
  | { type: 'enqueueAnswered'; entry: string; settled: MergeOutcome | null; position: number | null }
  | { type: 'mergeSettled'; entry: string; outcome: MergeOutcome }
  /** Somebody changed the title or the priority. */
  | { type: 'changed'; change: EntryChange }
  /** An activity failed for a reason that trying again will not mend. `id`: run, ask or entry. */
  | { type: 'commandFailed'; id: string; what: string; message: string }
  | PersonEvent;

/** Judged by domain/pipeline/permit.ts before they are applied. `intent` = audit row, the id of the request. */
export type PersonEvent =
  | { type: 'decided'; decision: Decision; intent: number | null; final: boolean }
  | { type: 'answered'; text: string; intent: number | null }
  | { type: 'retried'; intent: number | null }
  | { type: 'redone'; stage: string; overrides: RunOverrides; intent: number | null }
  | { type: 'cancelled'; reason: string; by: string; intent: number | null };

/** `backoff`: of the settings in force when it was answered. */
export type CheckNews = (
  { kind: 'verdict'; verdict: Verdict } | { kind: 'pending'; key: string; workflowId: string }
) & { backoff?: BackoffTimes };
