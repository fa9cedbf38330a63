/** Records of merge queues: entries, the visible picture, outcomes and landings; and the door to the workflow. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { queueTimes } from '../../domain/merge-queue/times.js';
import type { EnqueueRequest, EntryEdit, MergeOutcome } from '../../domain/merge-queue/types.js';
import type { CheckoutBehind } from '../../domain/tasks.js';
import { transaction, type Tx } from '../../store/db.js';
import { appendEvent } from '../../store/events.js';
import { activeGates } from '../../store/gates.js';
import { insertLanding } from '../../store/landings.js';
import { getEntry, insertEntry, settleEntry, type MergeEntry } from '../../store/merge-entries.js';
import { getQueueView, mirrorQueue } from '../../store/merge-queues.js';
import { mirrorTask } from '../../store/task-mirror.js';
import type { MergeQueueInput, QueueRecord, RecordActivities } from '../../workflows/activities.js';
import { controlQueue, mergeQueueWorkflowId } from '../../workflows/ids.js';
import { enqueue, entryChanged, mergeSettled, withdraw } from '../../workflows/messages.js';
import { SignalboxRepo } from '../../workflows/search-attributes.js';
import type { RecordDeps } from './deps.js';

type QueueRecords = Pick<
  RecordActivities,
  'enqueueLanding' | 'changeLanding' | 'withdrawLanding' | 'recordQueue' | 'readGates'
>;

export function queueRecords(deps: RecordDeps): QueueRecords {
  const { pool, client, settings, queuePrefix } = deps;

  const firstInput = (repo: string, base: string): MergeQueueInput => ({
    ...{ repo, base, queuePrefix },
    settings: queueTimes(settings),
    ...{ state: null, settledPerRun: null },
  });

  return {
    async enqueueLanding(request, mirror) {
      const { repo, base } = request;
      const entry = await transaction(pool, async (tx) => {
        const row = await insertEntry(tx, request);
        await mirrorTask(tx, mirror);
        return row;
      });
      // Read once more after the signal: a word that was said meanwhile may have come before the entry.
      let told: MergeEntry | null = null;
      for (let row = entry; row !== null; row = await getEntry(pool, request.entry)) {
        if (row.outcome !== null) return { settled: row.outcome, position: null };
        if (told?.edit.version === row.edit.version) break;
        await signalEnqueue(request, row.edit);
        told = row;
      }
      const view = await getQueueView(pool, repo, base);
      return { settled: null, position: view?.entries.find((e) => e.entry === request.entry)?.position ?? null };
    },

    async changeLanding(repo, base, id, change) {
      try {
        await client.workflow.getHandle(mergeQueueWorkflowId(repo, base)).signal(entryChanged, { id, change });
      } catch (err) {
        if (!(err instanceof WorkflowNotFoundError)) throw err; // the next enqueue of the entry brings the words along
      }
    },

    async withdrawLanding(repo, base, id, reason) {
      try {
        await client.workflow.getHandle(mergeQueueWorkflowId(repo, base)).signal(withdraw, { id, reason });
      } catch (err) {
        if (!(err instanceof WorkflowNotFoundError)) throw err;
        await withdrawWithoutQueue(id, reason);
      }
    },

    async recordQueue(update) {
      await transaction(pool, (tx) => recordQueue(tx, update));
    },

    async readGates(repo) {
      return activeGates(pool, repo);
    },
  };

  async function signalEnqueue(request: EnqueueRequest, edit: EntryEdit): Promise<void> {
    const { repo, base } = request;
    await client.workflow.signalWithStart('mergeQueue', {
      workflowId: mergeQueueWorkflowId(repo, base),
      taskQueue: controlQueue(queuePrefix),
      args: [firstInput(repo, base)],
      signal: enqueue,
      signalArgs: [request, queueTimes(settings), edit],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `merge queue of ${base} in ${repo}`,
      typedSearchAttributes: [{ key: SignalboxRepo, value: repo }],
    });
  }

  /** The queue was never started (or was terminated): nobody else will answer the task. */
  async function withdrawWithoutQueue(id: string, reason: string): Promise<void> {
    await settleEntry(pool, id, { kind: 'withdrawn', reason });
    const entry = await getEntry(pool, id);
    if (entry?.outcome == null) return;
    try {
      await client.workflow.getHandle(entry.request.workflowId).signal(mergeSettled, { id, outcome: entry.outcome });
    } catch (err) {
      if (!(err instanceof WorkflowNotFoundError)) throw err; // the task is gone as well: nobody to tell
    }
  }
}

interface SettledNews {
  task: string;
  entry: string;
  kind: MergeOutcome['kind'];
  checkoutBehind?: CheckoutBehind;
}

async function recordQueue(tx: Tx, update: QueueRecord): Promise<void> {
  const settled: SettledNews[] = [];
  for (const { identity, outcome } of update.settled) {
    if (outcome.kind === 'landed') await insertLanding(tx, identity, outcome.landing);
    const isNews = await settleEntry(tx, identity.entry, outcome);
    if (!isNews) continue;
    const behind = outcome.kind === 'landed' ? outcome.landing.checkoutBehind : null;
    const { task, entry } = identity;
    settled.push({ task, entry, kind: outcome.kind, ...(behind && { checkoutBehind: behind }) });
  }
  const isNewer = await mirrorQueue(tx, update);
  if (!isNewer && settled.length === 0) return;
  const { repo, base, state, reason, entries } = update.view;
  await appendEvent(tx, {
    kind: 'merge-queue',
    repo,
    subject: `${repo}/${base}`,
    data: {
      ...{ state, reason, settled },
      entries: entries.map(({ task, entry, phase, position }) => ({ task, entry, phase, position })),
    },
  });
}
