/**
 * Temporal actions of one task through the built-in pipeline (analysis, approval, architecture, development, review,
 * testing, merge), counted from the histories of the task, its check and its share of the merge queue, plus the
 * heartbeats of two hours of agent work at the product's throttle. The ratio is against the aim of 80 actions.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { at, createClient, type Client as ApiClient } from '../cli/client.js';
import { createSampleRepository } from '../cli/demo/sample-repository.js';
import { startStack } from '../cli/demo/stack.js';
import type { Waiting } from '../domain/tasks.js';
import { mergeQueueWorkflowId, taskWorkflowId } from '../workflows/ids.js';
import { printResult, round } from './figures.js';
import { countActions } from './histories.js';

const AIM = 80;
const AGENT_HOURS = 2;
/** maxHeartbeatThrottleInterval of agent workers. */
const HEARTBEAT_MINUTES = 4;
const REPO = 'bench';

const AGENT = `#!/bin/sh
[ "$SIGNALBOX_STAGE" = review ] && exit 0
item=$(basename "$SIGNALBOX_TASK") && mkdir -p docs/brd && echo "$SIGNALBOX_STAGE" >> "docs/$item.md"
[ -e "docs/brd/$item.md" ] || echo wanted > "docs/brd/$item.md"
git add -A
git -c user.name=Bench -c user.email=bench@localhost commit -qm "$SIGNALBOX_STAGE"
`;

const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-bench-'));
await chmod(dir, 0o711);
const { remote } = await createSampleRepository(dir);
const stack = await startStack(path.join(dir, 'data'), { quiet: true, ownGroup: false });
try {
  const api = createClient(stack);
  const temporal = new Client({ connection: await Connection.connect({ address: stack.temporal }) });
  const task = await landOne(api);
  const count = async (id: string): Promise<Record<string, number>> =>
    countActions(await temporal.workflow.getHandle(id).fetchHistory());
  const parts = {
    task: await count(taskWorkflowId(REPO, task)),
    mergeQueue: await count(mergeQueueWorkflowId(REPO, 'main')),
    check: {} as Record<string, number>,
  };
  for await (const { workflowId } of temporal.workflow.list({ query: 'WorkflowType="check"' })) {
    for (const [name, n] of Object.entries(await count(workflowId))) parts.check[name] = (parts.check[name] ?? 0) + n;
  }
  const sums = Object.values(parts).map((counts) => Object.values(counts).reduce((a, b) => a + b, 0));
  const heartbeats = Math.round((AGENT_HOURS * 60) / HEARTBEAT_MINUTES);
  const total = sums.reduce((a, b) => a + b, 0) + heartbeats;
  printResult('actions', total / AIM, `the aim of ${AIM} actions a task`, {
    total,
    heartbeatsOfTwoHours: heartbeats,
    ...parts,
    dollarsAt50AMillion: round((total * 50) / 1e6, 4),
  });
} finally {
  await stack.stop();
  await rm(dir, { recursive: true, force: true });
}

/** Through the default pipeline; approves what it is shown. Returns the work item. */
async function landOne(api: ApiClient): Promise<string> {
  const agent = path.join(dir, 'agent.sh');
  await writeFile(agent, AGENT, { mode: 0o755 });
  await api.send('PUT', at('agent-profiles', 'default'), { adapter: 'command', command: [agent] });
  const checks = [{ name: 'true', kind: 'command', command: ['true'], timeout: '1m' }];
  await api.send('POST', at('repos'), { id: REPO, remote, base: 'main', checks });
  const { workItem } = await api.send<{ workItem: string }>('POST', at('tasks'), { repo: REPO, title: 'One task' });
  const deadline = Date.now() + 120_000;
  for (let approved = false; Date.now() < deadline;) {
    const task = await api.get<{ state: string; stage: string; waitingOn: Waiting | null }>(
      at('tasks', REPO, workItem),
    );
    if (task.state === 'done') return workItem;
    if (task.waitingOn?.kind === 'approval' && !approved) {
      const sha = task.waitingOn.artifact?.sha;
      await api.send('POST', `${at('tasks', REPO, workItem)}/approve`, { stage: task.stage, sha });
      approved = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the task did not land within two minutes');
}
