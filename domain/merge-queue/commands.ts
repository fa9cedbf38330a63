/** What a merge queue wants done. All but `cancel` and `tell` are answered by an event with the same call number. */
import type { EnqueueRequest, EntryIdentity, LandingPlan, MergeOutcome, QueueView } from './types.js';

export type QueueCommand =
  | { kind: 'pickHost'; call: number; prefer: string | null }
  | { kind: 'prepare'; call: number; host: string; request: EnqueueRequest; acceptTip: string | null }
  | { kind: 'check'; call: number; plan: LandingPlan }
  /** Is base red by itself? */
  | { kind: 'checkBase'; call: number; task: string; baseOid: string }
  | {
      kind: 'publish';
      call: number;
      host: string;
      plan: LandingPlan;
      verdict: { kind: 'green' | 'none'; tree: string };
    }
  | { kind: 'fence'; call: number; host: string; task: string; plan: LandingPlan | null }
  /** Which live work will not merge with base, or with what is ahead of it. */
  | { kind: 'predict'; call: number; host: string }
  /** The verdict of that key is not wanted any more. */
  | { kind: 'letGo'; call: number; key: string }
  | { kind: 'readGates'; call: number }
  | { kind: 'record'; call: number; view: QueueView; settled: { identity: EntryIdentity; outcome: MergeOutcome }[] }
  /** The answer is not wanted any more. */
  | { kind: 'cancel'; call: number }
  | { kind: 'tell'; workflowId: string; entry: string; outcome: MergeOutcome };
