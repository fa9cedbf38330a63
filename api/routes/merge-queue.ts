import { setTimeout } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { estimate, type Eta } from '../../domain/merge-queue/eta.js';
import type { QueueStateName, QueueView } from '../../domain/merge-queue/types.js';
import { SignalboxError } from '../../domain/errors.js';
import { transaction } from '../../store/db.js';
import { listLandings } from '../../store/landings.js';
import { editEntry, getEntry, type MergeEntry } from '../../store/merge-entries.js';
import { mergeQueueWorkflowId } from '../../workflows/ids.js';
import { withdraw } from '../../workflows/messages.js';
import { audited } from '../audited.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf, requireBase } from '../lookups.js';
import { Patience } from '../patience.js';
import { queueStanding } from '../queue-standing.js';
import { RepoParams } from '../schemas/common.js';
import { EntryParams, MergeQueue, PatchEntry, QueueQuery } from '../schemas/system.js';
import { fromTemporal } from '../temporal-errors.js';

const LANDINGS = 50;
const WITHDRAW_PATIENCE_MS = 5000;
const SIGNAL_PATIENCE_MS = 5000;

const UNKNOWN_ETA = { etaSeconds: null, etaLowSeconds: null, etaHighSeconds: null };

/** From now, by the picture that the queue gave last. */
function landsIn(
  state: QueueStateName,
  view: QueueView | null,
  { position }: { position: number },
): Eta | typeof UNKNOWN_ETA {
  const pace = view?.pace;
  if (state !== 'running' || pace === undefined) return UNKNOWN_ETA;
  return estimate(pace, position, Date.now()) ?? UNKNOWN_ETA;
}

const showEntry = (entry: MergeEntry) => ({
  entry: entry.entry,
  repo: entry.repo,
  base: entry.base,
  task: entry.request.task,
  head: entry.request.head,
  priority: entry.edit.priority ?? entry.request.priority,
  fix: entry.edit.fix,
  outcome: entry.outcome,
  settledAt: entry.settledAt,
});

async function entryOf(deps: ApiDeps, params: { repo: string; entry: string }): Promise<MergeEntry> {
  const entry = await getEntry(deps.pool, params.entry);
  if (entry?.repo !== params.repo) throw new SignalboxError('not-found', `there is no entry ${params.entry}`);
  return entry;
}

/** Throws `conflict` where the queue is gone, `unavailable` where Temporal does not answer in time. */
async function tellQueue(
  deps: ApiDeps,
  entry: MergeEntry,
  signal: (queue: WorkflowHandle) => Promise<void>,
): Promise<void> {
  const queue = deps.temporal.workflow.getHandle(mergeQueueWorkflowId(entry.repo, entry.base));
  try {
    await deps.temporal.withDeadline(Date.now() + SIGNAL_PATIENCE_MS, () => signal(queue));
  } catch (err) {
    throw fromTemporal(err, `the merge queue of ${entry.base} in ${entry.repo}`);
  }
}

/** Asks the queue, and waits a moment for its answer: an entry that is being published stays until that is resolved. */
async function withdrawEntry(deps: ApiDeps, entry: MergeEntry, reason: string): Promise<MergeEntry> {
  const patience = new Patience(WITHDRAW_PATIENCE_MS);
  await tellQueue(deps, entry, (queue) => queue.signal(withdraw, { id: entry.entry, reason }));
  for (;;) {
    const now = await entryOf(deps, entry);
    if (now.outcome !== null || patience.over) return now;
    await setTimeout(100);
  }
}

export function mergeQueueRoutes(app: App, deps: ApiDeps): void {
  const tags = ['merge queue'];
  app.get(
    '/api/repos/:repo/merge-queue',
    {
      config: { scope: 'tasks:read' },
      schema: {
        tags,
        summary: 'The merge queue of a base branch',
        params: RepoParams,
        querystring: QueueQuery,
        response: { 200: MergeQueue },
      },
    },
    async (request) => {
      const repo = await repoOf(deps, request.params.repo);
      requireBase(repo, request.query.base);
      const base = request.query.base ?? repo.base;
      const [{ state, reason, view }, landings] = await Promise.all([
        queueStanding(deps, repo.id, base),
        listLandings(deps.pool, repo.id, base, LANDINGS),
      ]);
      return {
        repo: repo.id,
        base,
        ...{ state, reason },
        block: view?.block ?? null,
        entries: (view?.entries ?? []).map((entry) => ({ ...entry, workspace: null, ...landsIn(state, view, entry) })),
        landed: landings,
      };
    },
  );
  app.delete(
    '/api/repos/:repo/merge-queue/entries/:entry',
    {
      config: { scope: 'repos:admin' },
      schema: { tags, summary: 'Withdraw an entry; 202 while its publish is being resolved', params: EntryParams },
    },
    async (request, reply) => {
      const action = { action: 'merge-queue.withdraw', subject: `${request.params.repo} ${request.params.entry}` };
      const entry = await audited(deps, request, action, async () => {
        const found = await entryOf(deps, request.params);
        if (found.outcome?.kind === 'withdrawn') return found;
        if (found.outcome !== null) throw new SignalboxError('conflict', `the entry is settled: ${found.outcome.kind}`);
        return withdrawEntry(deps, found, `withdrawn by ${request.principal?.name ?? 'a person'}`);
      });
      if (entry.outcome !== null && entry.outcome.kind !== 'withdrawn') {
        throw new SignalboxError('conflict', `too late, the entry settled: ${entry.outcome.kind}`);
      }
      return reply.code(entry.outcome === null ? 202 : 200).send(showEntry(entry));
    },
  );
  app.patch(
    '/api/repos/:repo/merge-queue/entries/:entry',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'Change the place of an entry that waits, or let it land while base is frozen',
        params: EntryParams,
        body: PatchEntry,
      },
    },
    async (request) => {
      const { priority, fix } = request.body;
      if (priority === undefined && fix === undefined) {
        throw new SignalboxError('invalid-request', 'nothing to change: give priority or fix');
      }
      const subject = `${request.params.repo} ${request.params.entry}`;
      const action = { action: 'merge-queue.change', subject, detail: { priority, fix } };
      return audited(deps, request, action, async () => {
        const { entry } = await entryOf(deps, request.params);
        // The row decides at the push; the queue hears of it to take the entry up.
        const edited = await transaction(deps.pool, (tx) => editEntry(tx, entry, { priority, fix }));
        if (edited === null) throw new SignalboxError('conflict', 'the entry has left the queue');
        return showEntry(edited);
      });
    },
  );
}
