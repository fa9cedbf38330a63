import type { Feedback, RunRequest } from '../agents/types.js';
import type { CheckSource } from '../checks/types.js';
import type { EnqueueRequest, EntryChange } from '../merge-queue/types.js';
import type { Decision } from '../tasks.js';
import type { RunOverrides } from './input.js';
import type { AgentStage } from './types.js';

/** What the workflow is to carry out. Each is safe to repeat, by the id it carries. */
export type TaskCommand =
  | { type: 'askDependencies'; ask: number }
  | { type: 'requestRun'; run: RunRequest }
  | {
      type: 'runAgent';
      run: RunRequest;
      host: string;
      stage: AgentStage;
      overrides: RunOverrides;
      feedback: Feedback[];
      artifacts: string[];
      head: string | null;
      /** Where the branch begins while there is no head; null = base. */
      stackBase: string | null;
    }
  | { type: 'stopRun'; runId: string; host: string; reason: string }
  | { type: 'dropRun'; runId: string; reason: string }
  | {
      type: 'requestCheck';
      ask: number;
      checks: string[] | null;
      source: CheckSource | { kind: 'base-now'; branch: string };
    }
  /** The verdict is not wanted any more. */
  | { type: 'letGo'; check: string }
  | { type: 'enqueue'; request: EnqueueRequest }
  | { type: 'changeEntry'; entry: string; change: EntryChange }
  | { type: 'withdraw'; entry: string; reason: string }
  /** `blob`: the document that was decided on; null where there is none. */
  | { type: 'recordDecision'; decision: Decision; blob: string | null; intent: number | null }
  /** Only the picture changed. */
  | { type: 'mirror' }
  | { type: 'cleanUp'; host: string };
