/**
 * What the merge queue adds. First: landings one after the other without checks, on the whole stack: the time between
 * the git part of one and that of the next, against a bare Temporal workflow with as many no-op activities on the same
 * server. Then: a queue in which many wait, how big its state and its history get, and how fast it answers.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { at, createClient, type Client as ApiClient } from '../cli/client.js';
import { createSampleRepository } from '../cli/demo/sample-repository.js';
import { startStack } from '../cli/demo/stack.js';
import { contentId } from '../domain/content-id.js';
import { queueTimes } from '../domain/merge-queue/times.js';
import type { EnqueueRequest } from '../domain/merge-queue/types.js';
import { parseSettings } from '../domain/settings.js';
import type { MergeQueueInput } from '../workflows/activities.js';
import { controlQueue, mergeQueueWorkflowId } from '../workflows/ids.js';
import { enqueue, queueState } from '../workflows/messages.js';
import { startBare } from './bare-workflow.js';
import { countArgument, median, percentile, printResult, round, timed } from './figures.js';
import { landingSpans } from './histories.js';

const LANDINGS = countArgument(1, 'landings', 30);
const WAITING = countArgument(2, 'waiting entries', 1000);
const QUERIES = 30;
const LIMIT_MS = 600_000;
const PREFIX = 'signalbox';

const AGENT = `#!/bin/sh
echo "$SIGNALBOX_TASK" > "change-$(basename "$SIGNALBOX_TASK")" && git add -A
git -c user.name=Bench -c user.email=bench@localhost commit -qm "Change"
`;

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-bench-'));
await chmod(dir, 0o711);
const stack = await startStack(path.join(dir, 'data'), { quiet: true, ownGroup: false });
try {
  const api = createClient(stack);
  const temporal = new Client({ connection: await Connection.connect({ address: stack.temporal }) });
  await writeFile(path.join(dir, 'agent.sh'), AGENT, { mode: 0o755 });
  await api.send('PUT', at('agent-profiles', 'default'), { adapter: 'command', command: [path.join(dir, 'agent.sh')] });
  const between = await landInARow(api, temporal);
  const crowd = await crowdTheQueue(api, temporal);
  printResult('queue', between.ratio, between.baseline, { ...between.figures, ...crowd });
} finally {
  await stack.stop();
  await rm(dir, { recursive: true, force: true });
}

async function addRepository(api: ApiClient, id: string): Promise<void> {
  const { remote } = await createSampleRepository(await mkdtemp(path.join(dir, `${id}-`)));
  const stages = [
    { name: 'work', kind: 'agent', agent: 'default' },
    { name: 'merge', kind: 'merge' },
  ];
  await api.send('POST', at('repos'), { id, remote, base: 'main', checks: [], pipeline: { stages } });
}

/** All are in the queue when the first one goes, so that nothing waits for agents. */
async function landInARow(
  api: ApiClient,
  temporal: Client,
): Promise<{ ratio: number; baseline: string; figures: Record<string, number> }> {
  await addRepository(api, 'row');
  await api.send('POST', at('repos', 'row', 'pause'), { reason: 'until all are there' });
  for (let n = 0; n < LANDINGS; n += 1) await api.send('POST', at('tasks'), { repo: 'row', title: `Task ${n}` });
  const queue = (): Promise<{ entries: unknown[]; landed: unknown[] }> => api.get(at('repos', 'row', 'merge-queue'));
  await until('all in the queue', async () => (await queue()).entries.length === LANDINGS);
  await api.send('POST', at('repos', 'row', 'resume'), {});
  await until('all landed', async () => (await queue()).entries.length === 0);
  const handle = temporal.workflow.getHandle(mergeQueueWorkflowId('row', 'main'));
  const spans = landingSpans(await handle.fetchHistory());
  // The first one also fills caches.
  const measured = spans.slice(1);
  const activities = Math.round(median(measured.map((s) => s.activities)));
  const bare = await startBare(temporal, stack.temporal);
  const baseline: number[] = [];
  for (let n = 0; n < measured.length; n += 1) baseline.push(await bare.run(n, activities));
  await bare.stop();
  const overhead = measured.map((s) => s.betweenMs);
  return {
    ratio: median(overhead) / median(baseline.slice(1)),
    baseline: `a bare workflow with ${activities} no-op activities`,
    figures: {
      landings: measured.length,
      betweenMedianMs: round(median(overhead)),
      betweenP95Ms: round(percentile(overhead, 0.95)),
      gitMedianMs: round(median(measured.map((s) => s.gitMs))),
      bareMedianMs: round(median(baseline.slice(1))),
    },
  };
}

/** Entries that wait behind a pause; nothing of git is asked. */
async function crowdTheQueue(api: ApiClient, temporal: Client): Promise<Record<string, number>> {
  await addRepository(api, 'crowd');
  await api.send('POST', at('repos', 'crowd', 'pause'), { reason: 'a crowd' });
  const workflowId = mergeQueueWorkflowId('crowd', 'main');
  const settings = queueTimes(parseSettings({}));
  const input: MergeQueueInput = {
    ...{ repo: 'crowd', base: 'main', queuePrefix: PREFIX, settings, state: null, settledPerRun: null },
  };
  const filling = await timed(async () => {
    for (let n = 1; n <= WAITING; n += 1) {
      await temporal.workflow.signalWithStart('mergeQueue', {
        ...{ workflowId, taskQueue: controlQueue(PREFIX), args: [input] },
        ...{ signal: enqueue, signalArgs: [waitingEntry(n), settings] },
      });
    }
  });
  const handle = temporal.workflow.getHandle(workflowId);
  await until('all in the queue', async () => (await handle.query(queueState)).entries.length === WAITING);
  const queries: number[] = [];
  for (let n = 0; n < QUERIES; n += 1) queries.push(await timed(() => handle.query(queueState)));
  let largest = { events: 0, bytes: 0 };
  let carried = 0;
  let runs = 0;
  for await (const { runId } of temporal.workflow.list({ query: `WorkflowId = "${workflowId}"` })) {
    const run = temporal.workflow.getHandle(workflowId, runId);
    const { historyLength, historySize = 0 } = await run.describe();
    largest = { events: Math.max(largest.events, historyLength), bytes: Math.max(largest.bytes, historySize) };
    carried = Math.max(carried, await inputBytes(temporal, { workflowId, runId }));
    runs += 1;
  }
  return {
    waiting: WAITING,
    enqueueMs: round(filling / WAITING),
    queryMedianMs: round(median(queries)),
    queryP95Ms: round(percentile(queries, 0.95)),
    runs,
    largestHistoryEvents: largest.events,
    largestHistoryKiB: round(largest.bytes / 1024, 0),
    carriedStateKiB: round(carried / 1024, 0),
  };
}

function waitingEntry(n: number): EnqueueRequest {
  const workItem = `ET-${n}`;
  return {
    ...{ repo: 'crowd', base: 'main', task: `crowd/${workItem}`, workItem, generation: 1, try: 1 },
    ...{ head: contentId('head', n).slice(0, 40), entry: contentId('entry', n), workflowId: `task/crowd/${workItem}` },
    ...{ title: `A change with a title of ordinary length, number ${n}`, priority: 'normal' },
    enqueuedAt: '2026-01-01T00:00:00Z',
  };
}

/** What the run was started with: after a continue-as-new, the state. Its first event alone: a page may be too large. */
async function inputBytes(temporal: Client, execution: { workflowId: string; runId: string }): Promise<number> {
  const { history } = await temporal.workflowService.getWorkflowExecutionHistory({
    ...{ namespace: 'default', execution, maximumPageSize: 1 },
  });
  const { input } = history?.events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
  return (input?.payloads ?? []).reduce((sum, payload) => sum + (payload.data?.length ?? 0), 0);
}

async function until(what: string, ok: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (!(await ok())) {
    if (Date.now() > deadline) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
