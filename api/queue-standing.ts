/** Where the queue of a base stands, by the gates at the moment of asking: the mirrored view may be a moment behind. */
import { held } from '../domain/merge-queue/view.js';
import type { Gate, QueueStateName, QueueView } from '../domain/merge-queue/types.js';
import { activeGates } from '../store/gates.js';
import { getQueueView } from '../store/merge-queues.js';
import type { ApiDeps } from './deps.js';

export interface QueueStanding {
  state: QueueStateName;
  reason: string | null;
  /** Null when nothing was ever queued for this base. */
  view: QueueView | null;
  /** All active gates of the repository. */
  gates: Gate[];
}

export async function queueStanding(deps: ApiDeps, repo: string, base: string): Promise<QueueStanding> {
  const [view, gates] = await Promise.all([getQueueView(deps.pool, repo, base), activeGates(deps.pool, repo)]);
  const block = view?.block ?? null;
  const { name, gate } = held(gates, base, block);
  return { state: name, reason: gate?.reason ?? (name === 'blocked' ? (block?.reason ?? null) : null), view, gates };
}
