/**
 * What orchestration costs: 100 tasks with instant agents and checks through a six-stage pipeline, one after the other,
 * in turns with a bare Temporal workflow with our number of no-op activities on the same server. Time inside processes
 * and git (agents, checks, prepare, publish) is measured from the histories and reported apart.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Runtime, DefaultLogger } from '@temporalio/worker';
import { at, createClient, type Client as ApiClient } from '../cli/client.js';
import { createSampleRepository } from '../cli/demo/sample-repository.js';
import { startStack } from '../cli/demo/stack.js';
import { mergeQueueWorkflowId, taskWorkflowId } from '../workflows/ids.js';
import { startBare } from './bare-workflow.js';
import { countArgument, median, percentile, printResult, round } from './figures.js';
import { activitySpans, countActions, elapsed, type ActivitySpan, type History } from './histories.js';

const TASKS = countArgument(1, 'tasks', 100);
const REPO = 'bench';
/** Milliseconds; a task of this bench takes seconds. */
const TASK_LIMIT = 60_000;
/** Activities that are processes or git; the rest is records and Temporal. */
const OUTSIDE = ['runAgent', 'runCheck', 'prepareLanding', 'publishLanding', 'fenceLanding', 'cleanUpTask'];

const AGENT = `#!/bin/sh
[ "$SIGNALBOX_STAGE" = development ] || exit 0
echo "$SIGNALBOX_TASK" > "change-$(basename "$SIGNALBOX_TASK")" && git add -A
git -c user.name=Bench -c user.email=bench@localhost commit -qm "Change"
`;

const PIPELINE = {
  stages: [
    { name: 'analysis', kind: 'agent', agent: 'default' },
    { name: 'architecture', kind: 'agent', agent: 'default' },
    { name: 'development', kind: 'agent', agent: 'default', commits: 'required' },
    { name: 'review', kind: 'agent', agent: 'default', commits: 'forbidden' },
    { name: 'testing', kind: 'check', checks: ['true'] },
    { name: 'merge', kind: 'merge' },
  ],
};

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-bench-'));
await chmod(dir, 0o711);
const { remote } = await createSampleRepository(dir);
const stack = await startStack(path.join(dir, 'data'), { quiet: true, ownGroup: false });
try {
  const api = createClient(stack);
  const temporal = new Client({ connection: await Connection.connect({ address: stack.temporal }) });
  await prepareRepository(api);
  const bare = await startBare(temporal, stack.temporal);
  // The first task fills caches and tells the number of activities; it is not measured.
  const first = await land(api, 0);
  const ofOthers = (await queueSpans(temporal)).length + (await checkSpans(temporal)).length;
  const count = activitySpans(await historyOf(temporal, first)).length + ofOthers;
  await bare.run(0, count);
  const tasks: string[] = [];
  const walls: number[] = [];
  const baseline: number[] = [];
  for (let n = 1; n <= TASKS; n++) {
    const start = performance.now();
    tasks.push(await land(api, n));
    walls.push(performance.now() - start);
    baseline.push(await bare.run(n, count));
  }
  await bare.stop();
  const histories = await Promise.all(tasks.map((item) => historyOf(temporal, item)));
  const queue = await queueSpans(temporal);
  const checks = await checkSpans(temporal);
  const sumOutside = (spans: ActivitySpan[]): number =>
    spans.filter((s) => OUTSIDE.includes(s.type)).reduce((sum, s) => sum + s.ms, 0);
  const shared = (sumOutside(queue) + sumOutside(checks)) / (TASKS + 1);
  const perTask = histories.map((h) => ({ total: elapsed(h), outside: sumOutside(activitySpans(h)) + shared }));
  const ours = perTask.map((t) => t.total - t.outside);
  printResult('overhead', median(ours) / median(baseline), `a bare workflow with ${count} no-op activities`, {
    tasks: TASKS,
    activitiesATask: count,
    taskMedianMs: round(median(perTask.map((t) => t.total))),
    taskP95Ms: round(
      percentile(
        perTask.map((t) => t.total),
        0.95,
      ),
    ),
    processAndGitMedianMs: round(median(perTask.map((t) => t.outside))),
    orchestrationMedianMs: round(median(ours)),
    orchestrationP95Ms: round(percentile(ours, 0.95)),
    bareMedianMs: round(median(baseline)),
    bareP95Ms: round(percentile(baseline, 0.95)),
    ratioP95: round(percentile(ours, 0.95) / percentile(baseline, 0.95), 2),
    submitToDoneMedianMs: round(median(walls)),
    actionsATask: sum(countActions(histories[Math.floor(TASKS / 2)] ?? { events: [] })),
    queueBetweenLandingsMs: round((queue.reduce((s, a) => s + a.ms, 0) - sumOutside(queue)) / (TASKS + 1)),
  });
} finally {
  await stack.stop();
  await rm(dir, { recursive: true, force: true });
}

async function prepareRepository(api: ApiClient): Promise<void> {
  const agent = path.join(dir, 'agent.sh');
  await writeFile(agent, AGENT, { mode: 0o755 });
  await api.send('PUT', at('agent-profiles', 'default'), { adapter: 'command', command: [agent] });
  const checks = [{ name: 'true', kind: 'command', command: ['true'], timeout: '1m' }];
  await api.send('POST', at('repos'), {
    id: REPO,
    remote,
    base: 'main',
    workItemPrefix: 'ET',
    checks,
    pipeline: PIPELINE,
  });
}

async function land(api: ApiClient, n: number): Promise<string> {
  const { workItem } = await api.send<{ workItem: string }>('POST', at('tasks'), { repo: REPO, title: `Task ${n}` });
  const deadline = Date.now() + TASK_LIMIT;
  for (;;) {
    const task = await api.get<{ state: string; waitingOn: unknown }>(at('tasks', REPO, workItem));
    if (task.state === 'done') return workItem;
    if (Date.now() > deadline || task.state === 'failed') {
      throw new Error(`${workItem} is ${task.state}: ${JSON.stringify(task.waitingOn)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function historyOf(temporal: Client, item: string): Promise<History> {
  return temporal.workflow.getHandle(taskWorkflowId(REPO, item)).fetchHistory();
}

async function queueSpans(temporal: Client): Promise<ActivitySpan[]> {
  return activitySpans(await temporal.workflow.getHandle(mergeQueueWorkflowId(REPO, 'main')).fetchHistory());
}

async function checkSpans(temporal: Client): Promise<ActivitySpan[]> {
  const spans: ActivitySpan[] = [];
  for await (const { workflowId } of temporal.workflow.list({ query: 'WorkflowType="check"' })) {
    spans.push(...activitySpans(await temporal.workflow.getHandle(workflowId).fetchHistory()));
  }
  return spans;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}
