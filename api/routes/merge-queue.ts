import { setTimeout } from 'node:timers/promises';
import { SignalboxError } from '../../domain/errors.js';
import type { Gate, QueueStateName, QueueView } from '../../domain/merge-queue/types.js';
import { activeGates } from '../../store/gates.js';
import { listLandings } from '../../store/landings.js';
import { getEntry, type MergeEntry } from '../../store/merge-entries.js';
import { getQueueView } from '../../store/merge-queues.js';
import { mergeQueueWorkflowId } from '../../workflows/ids.js';
import { withdraw } from '../../workflows/messages.js';
import { audited } from '../audited.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf } from '../lookups.js';
import { RepoParams } from '../schemas/common.js';
import { EntryParams, MergeQueue, PatchEntry, QueueQuery } from '../schemas/system.js';

const LANDINGS = 50;
const WITHDRAW_PATIENCE_MS = 5000;

/** The gates are read at the moment of asking; the mirrored view may be a moment behind them. */
function stateOf(view: QueueView | null, gates: Gate[]): { state: QueueStateName; reason: string | null } {
  const holding = gates.filter((gate) => gate.scope !== 'admission');
  const reasonOf = (kind: Gate['kind']): string | undefined => holding.find((gate) => gate.kind === kind)?.reason;
  const frozen = reasonOf('freeze');
  if (frozen !== undefined) return { state: 'frozen', reason: frozen };
  if (view?.block != null) return { state: 'blocked', reason: view.block.reason };
  const paused = reasonOf('pause');
  if (paused !== undefined) return { state: 'paused', reason: paused };
  const draining = reasonOf('drain');
  if (draining !== undefined) return { state: 'draining', reason: draining };
  return { state: 'running', reason: null };
}

const showEntry = (entry: MergeEntry) => ({
  entry: entry.entry,
  repo: entry.repo,
  base: entry.base,
  task: entry.request.task,
  head: entry.request.head,
  outcome: entry.outcome,
  settledAt: entry.settledAt,
});

async function entryOf(deps: ApiDeps, params: { repo: string; entry: string }): Promise<MergeEntry> {
  const entry = await getEntry(deps.pool, params.entry);
  if (entry?.repo !== params.repo) throw new SignalboxError('not-found', `there is no entry ${params.entry}`);
  return entry;
}

/** Asks the queue, and waits a moment for its answer: an entry that is being published stays until that is resolved. */
async function withdrawEntry(deps: ApiDeps, entry: MergeEntry, reason: string): Promise<MergeEntry> {
  const handle = deps.temporal.workflow.getHandle(mergeQueueWorkflowId(entry.repo, entry.base));
  await handle.signal(withdraw, { id: entry.entry, reason });
  const deadline = Date.now() + WITHDRAW_PATIENCE_MS;
  for (;;) {
    const now = await entryOf(deps, entry);
    if (now.outcome !== null || Date.now() > deadline) return now;
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
      const base = request.query.base ?? repo.base;
      const [view, gates, landings] = await Promise.all([
        getQueueView(deps.pool, repo.id, base),
        activeGates(deps.pool, repo.id, base),
        listLandings(deps.pool, repo.id, base, LANDINGS),
      ]);
      return {
        repo: repo.id,
        base,
        ...stateOf(view, gates),
        block: view?.block ?? null,
        entries: (view?.entries ?? []).map((entry) => ({ ...entry, workspace: null })),
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
        summary: 'Change an entry (nothing can be changed in this version)',
        params: EntryParams,
        body: PatchEntry,
      },
    },
    async (request) => showEntry(await entryOf(deps, request.params)),
  );
}
