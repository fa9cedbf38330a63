import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckRunResult } from '../../../domain/checks/types.js';
import type { check } from '../../../workflows/check.js';
import { checkWorkflowId, verdictKey } from '../../../workflows/ids.js';
import { subscribe } from '../../../workflows/messages.js';
import { connectTemporal, type TestTemporal } from '../../support/temporal.js';
import { keepHistory } from './histories.js';
import { Outside } from './outside.js';

let temporal: TestTemporal;
let outside: Outside;

beforeAll(async () => {
  temporal = await connectTemporal();
  outside = new Outside(temporal);
  await outside.start();
});
afterAll(async () => {
  await outside.stop();
  await temporal.close();
});

const RED: CheckRunResult = {
  kind: 'red',
  seconds: 1,
  failed: { name: 'unit', command: ['npm', 'test'], exitCode: 1, tail: 'not ok' },
};
const FAULT: CheckRunResult = { kind: 'fault', reason: 'timed out' };

async function run(tree: string, runs: CheckRunResult[], maxAttempts = 2) {
  outside.checkRuns = runs;
  outside.runsSeen = [];
  outside.verdicts = [];
  const { repo } = outside;
  const workflowId = checkWorkflowId(repo, tree, 'cfg');
  const listeners = await Promise.all([1, 2].map((n) => outside.listen(`listener/${repo}/${tree}/${n}`)));
  const [first, second] = listeners.map((l) => l.workflowId);
  const handle = await temporal.client.workflow.signalWithStart<typeof check, [{ workflowId: string }]>('check', {
    workflowId,
    taskQueue: temporal.queuePrefix,
    args: [
      {
        ...{ key: verdictKey(repo, tree, 'cfg'), repo, tree, configHash: 'cfg', checks: null },
        source: { kind: 'base', branch: 'main', commit: 'c' },
        ...{ queuePrefix: temporal.queuePrefix, subscribers: [first ?? ''] },
        settings: { hostStale: 30_000, backoffBase: 100, backoffMax: 200, maxAttempts },
      },
    ],
    signal: subscribe,
    signalArgs: [{ workflowId: second ?? '' }],
  });
  const verdict = await handle.result();
  for (const l of listeners) expect(await l.result()).toEqual(verdict);
  return { verdict, workflowId };
}

test('green is recorded once and told to everybody who subscribed', async () => {
  const { verdict } = await run('t1', []);
  expect(verdict).toMatchObject({ verdict: 'green', flaky: false, failed: null });
  expect(outside.verdicts).toEqual([verdict]);
});

test('a first red is run once more: green then is flaky, red again is red', async () => {
  const { verdict, workflowId } = await run('t2', [RED]);
  expect(verdict).toMatchObject({ verdict: 'green', flaky: true });
  await keepHistory(temporal, workflowId, 'check-flaky');
  expect((await run('t3', [RED, RED])).verdict).toMatchObject({ verdict: 'red', failed: { name: 'unit' } });
  expect(outside.runsSeen).toEqual([1, 2]);
});

test('a fault is tried again, is never red, and is told when it stays', async () => {
  expect((await run('t4', [FAULT])).verdict).toMatchObject({ verdict: 'green' });
  expect((await run('t5', [FAULT, FAULT])).verdict).toMatchObject({ verdict: 'fault', reason: 'timed out' });
  expect(outside.verdicts).toMatchObject([{ verdict: 'fault' }]);
});
