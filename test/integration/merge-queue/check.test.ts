import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckStep } from '../../../domain/checks/external.js';
import type { CheckRunResult } from '../../../domain/checks/types.js';
import type { check } from '../../../workflows/check.js';
import { checkRunId, checkWorkflowId, verdictKey } from '../../../workflows/ids.js';
import type { StatusReading } from '../../../domain/forges.js';
import { statusNews, subscribe, unsubscribe } from '../../../workflows/messages.js';
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

interface More {
  maxAttempts?: number;
  steps?: CheckStep[];
  backoffBase?: number;
  /** Done once it runs. */
  meanwhile?: (workflowId: string) => Promise<void>;
}

async function run(
  tree: string,
  runs: CheckRunResult[],
  { maxAttempts = 2, steps, backoffBase = 100, meanwhile }: More = {},
) {
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
        ...(steps && { steps }),
        settings: { hostStale: 30_000, backoffBase, backoffMax: 2 * backoffBase, maxAttempts },
      },
    ],
    signal: subscribe,
    signalArgs: [{ workflowId: second ?? '' }],
  });
  await meanwhile?.(workflowId);
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

const said = (state: 'pending' | 'success' | 'failure' | 'lost', description = ''): StatusReading => ({
  ...{ state, description, url: 'https://ci.test/7' },
});
const external = (timeout = 60_000): CheckStep => ({
  kind: 'external',
  check: { name: 'ci', kind: 'external', context: 'build', timeout },
});
const commands = (...checks: string[]): CheckStep => ({ kind: 'commands', checks });

function forgeSays(...readings: (StatusReading | Error)[]): void {
  outside.readings = readings;
  outside.looks = 0;
}

test('external checks take their turn between commands, and are looked at again until they have ended', async () => {
  forgeSays({ state: 'absent' }, new Error('the forge is down'), said('pending', 'building'), said('success'));
  const steps = [commands('lint', 'unit'), external(), commands('after')];
  const { verdict, workflowId } = await run('x1', [RED], { steps });
  expect(verdict).toMatchObject({ verdict: 'green', flaky: true });
  expect([outside.runsSeen, outside.looks]).toEqual([[1, 2, 4], 4]);
  expect(outside.checkRefs).toEqual(new Set());
  await keepHistory(temporal, workflowId, 'check-external');
});

test('what the forge calls red is red at once, with its words', async () => {
  forgeSays(said('failure', '3 tests failed'));
  const { verdict } = await run('x2', [], { steps: [external(), commands('after')] });
  const tail = 'build: failure\n3 tests failed\nhttps://ci.test/7';
  expect(verdict).toMatchObject({ verdict: 'red', failed: { name: 'ci', command: [], exitCode: null, tail } });
  expect([outside.runsSeen, outside.looks, outside.checkRefs.size]).toEqual([[], 1, 0]);
});

test('a forge that says nothing in time, or ends without a verdict, is a fault and never a red', async () => {
  forgeSays(said('pending', 'queued'));
  const late = await run('x3', [], { steps: [external(300)], maxAttempts: 1 });
  expect(late.verdict).toMatchObject({ verdict: 'fault', failed: null });
  expect(late.verdict?.reason).toBe('the check ci did not end in time; last seen: pending: queued');
  forgeSays(said('lost', 'cancelled'), said('success'));
  expect((await run('x4', [], { steps: [external()] })).verdict).toMatchObject({ verdict: 'green' });
  expect(outside.checkRefs).toEqual(new Set());
});

test('news from a hook is looked into at once', async () => {
  forgeSays({ state: 'absent' }, said('success'));
  const began = Date.now();
  const { verdict } = await run('x5', [], {
    ...{ steps: [external(600_000)], backoffBase: 300_000 },
    meanwhile: async (workflowId) => {
      const workflow = temporal.client.workflow.getHandle(workflowId);
      while (outside.looks === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await workflow.signal(statusNews, { id: 'another commit' });
      await workflow.signal(statusNews, { id: 'c' });
    },
  });
  expect(verdict).toMatchObject({ verdict: 'green' });
  expect([outside.looks, Date.now() - began < 60_000]).toEqual([2, true]);
});

test('checks that nobody waits for are ended at once; while one is left they go on, and a late one begins anew', async () => {
  const begin = async (tree: string, ...names: string[]) => {
    outside.hanging = true;
    Object.assign(outside, { runsSeen: [], stopped: [], dropped: [], verdicts: [], checkRuns: [] });
    const workflowId = checkWorkflowId(outside.repo, tree, 'cfg');
    const key = verdictKey(outside.repo, tree, 'cfg');
    const input = {
      ...{ key, repo: outside.repo, tree, configHash: 'cfg', checks: null, queuePrefix: temporal.queuePrefix },
      source: { kind: 'base' as const, branch: 'main', commit: 'c' },
      subscribers: names,
      settings: { hostStale: 30_000, backoffBase: 100, backoffMax: 200, maxAttempts: 2 },
    };
    const taskQueue = temporal.queuePrefix;
    const handle = await temporal.client.workflow.start<typeof check>('check', {
      workflowId,
      taskQueue,
      args: [input],
    });
    await expect.poll(() => outside.runsSeen).toEqual([1]);
    return { handle, workflowId, key };
  };
  const gone = await begin('u1', 'a', 'b');
  await gone.handle.signal(unsubscribe, { workflowId: 'a' });
  await gone.handle.signal(unsubscribe, { workflowId: 'a' });
  await gone.handle.signal(unsubscribe, { workflowId: 'stranger' });
  expect((await gone.handle.describe()).status.name).toBe('RUNNING');
  expect(outside.stopped).toEqual([]);
  await gone.handle.signal(unsubscribe, { workflowId: 'b' });
  expect(await gone.handle.result()).toBeNull();
  const { runId } = await gone.handle.describe();
  expect([outside.stopped, outside.dropped]).toEqual([[checkRunId(gone.key, runId, 1)], [gone.workflowId]]);
  expect(outside.verdicts).toEqual([]);
  await keepHistory(temporal, gone.workflowId, 'check-given-up');

  const listener = await outside.listen(`listener/${outside.repo}/late`);
  const late = await begin('u2', 'a');
  await late.handle.signal(unsubscribe, { workflowId: 'a' });
  outside.hanging = false;
  await late.handle.signal(subscribe, { workflowId: listener.workflowId });
  expect(await late.handle.result()).toMatchObject({ verdict: 'green' });
  expect(await listener.result()).toMatchObject({ verdict: 'green' });
  expect(outside.runsSeen).toEqual([1, 2]);
  expect(outside.dropped).toEqual([]);
});

test('a check that is given up takes its check ref away', async () => {
  forgeSays({ state: 'absent' });
  const workflowId = checkWorkflowId(outside.repo, 'x6', 'cfg');
  const handle = await temporal.client.workflow.start<typeof check>('check', {
    ...{ workflowId, taskQueue: temporal.queuePrefix },
    args: [
      {
        ...{
          key: verdictKey(outside.repo, 'x6', 'cfg'),
          repo: outside.repo,
          tree: 'x6',
          configHash: 'cfg',
          checks: null,
        },
        ...{ source: { kind: 'base', branch: 'main', commit: 'c' }, steps: [external(600_000)] },
        ...{ queuePrefix: temporal.queuePrefix, subscribers: ['a'] },
        settings: { hostStale: 30_000, backoffBase: 300_000, backoffMax: 300_000, maxAttempts: 2 },
      },
    ],
  });
  while (outside.looks === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(outside.checkRefs.size).toBe(1);
  await handle.signal(unsubscribe, { workflowId: 'a' });
  expect(await handle.result()).toBeNull();
  expect(outside.checkRefs.size).toBe(0);
});
