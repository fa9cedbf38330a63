/** What a merge queue hears. An answer names the call it answers; one to a forgotten call is ignored. */
import type { Verdict } from '../checks/types.js';
import type {
  EnqueueRequest,
  EntryChange,
  EntryEdit,
  FenceResult,
  Gate,
  PrepareResult,
  PublishResult,
} from './types.js';

/** The verdict, or the key of the check that will signal it. */
export type CheckReply = { kind: 'verdict'; verdict: Verdict } | { kind: 'pending'; key: string };

export type QueueEvent =
  /** First event of every run: whatever was in flight is not known any more. */
  | { kind: 'restored' }
  | { kind: 'tick' }
  /** Finish what is in flight and begin nothing. */
  | { kind: 'hold' }
  /** `edit`: what people decided about the entry until then; absent = nothing is known of it. */
  | { kind: 'enqueue'; request: EnqueueRequest; edit?: EntryEdit | undefined }
  | { kind: 'withdraw'; entry: string; reason: string }
  | { kind: 'entryChanged'; entry: string; change: EntryChange }
  | { kind: 'entryEdited'; entry: string; edit: EntryEdit }
  /** A task is over without having landed. */
  | { kind: 'taskEnded'; task: string }
  | { kind: 'gateChanged'; id: string; acceptTip: string | null }
  | { kind: 'checkSettled'; key: string; verdict: Verdict }
  | { kind: 'hostPicked'; call: number; host: string | null }
  | { kind: 'prepared'; call: number; result: PrepareResult }
  | { kind: 'checked'; call: number; reply: CheckReply }
  | { kind: 'baseChecked'; call: number; reply: CheckReply }
  | { kind: 'published'; call: number; result: PublishResult }
  | { kind: 'fenced'; call: number; result: FenceResult }
  | { kind: 'predicted'; call: number; baseOid: string }
  | { kind: 'letGone'; call: number }
  | { kind: 'gatesRead'; call: number; gates: Gate[] }
  | { kind: 'recorded'; call: number }
  /** The infrastructure gave up on a call. Says nothing about whether it had its effect. */
  | { kind: 'failed'; call: number; message: string };
