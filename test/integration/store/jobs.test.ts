import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunReport } from '../../../domain/agents/types.js';
import { execute, transaction } from '../../../store/db.js';
import { claimHost, heartbeatHost, listHosts, liveHosts, stopHost } from '../../../store/hosts.js';
import {
  dropJob,
  getJob,
  grantSlots,
  queueCounts,
  recentJobs,
  requestJob,
  type SlotAnswer,
} from '../../../store/jobs.js';
import { openOutbox } from '../../../store/outbox.js';
import { putProfile } from '../../../store/agent-profiles.js';
import { claimRun, finishRun, getRun, noteRunStarted, taskCosts, type RunEnd } from '../../../store/runs.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { sampleProfile, sampleRun } from '../../support/samples.js';

const STALE = 60_000;
let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());
beforeEach(async () => {
  await execute(db.pool, 'TRUNCATE jobs, agent_runs, hosts, outbox, agent_profiles CASCADE');
});

const host = (id: string, agentSlots: number): Promise<number> =>
  claimHost(db.pool, { id, pid: 1, agentSlots, checkSlots: 1, info: {} });
const ask = (runId: string, preferHost: string | null = null): Promise<SlotAnswer> =>
  transaction(db.pool, (tx) => requestJob(tx, sampleRun({ runId, preferHost }), STALE));
const report = (runId: string): RunReport => ({
  ...{ runId, outcome: { kind: 'passed', summary: null }, head: null, commits: 0, notes: [], artifacts: {} },
});
const end = (id: string, fence: number, over: Partial<RunEnd> = {}): Promise<boolean> =>
  transaction(db.pool, (tx) =>
    finishRun(
      tx,
      {
        ...{ id, fence, status: 'passed', exitCode: 0, failureClass: null, usage: null, error: null },
        report: report(id),
        ...over,
      },
      STALE,
    ),
  );
const finish = async (id: string): Promise<void> => {
  const run = await claimRun(db.pool, id);
  expect(await end(id, run?.fence ?? -1)).toBe(true);
};

test('a host never runs more than its slots, however many ask at once, and the line is first come first served', async () => {
  await host('h', 3);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(`r${i}`)));
  expect(answers.filter((a) => a.granted)).toHaveLength(3);
  expect(await queueCounts(db.pool)).toEqual({ queued: 17, running: 3, done: 0, failed: 0 });
  const line = (await recentJobs(db.pool, 50)).filter((j) => j.status === 'queued').reverse();
  const running = (await recentJobs(db.pool, 50)).find((j) => j.status === 'running');
  await finish(running?.runId ?? '');
  expect((await getJob(db.pool, line[0]?.runId ?? ''))?.status).toBe('running');
  expect((await getJob(db.pool, line[1]?.runId ?? ''))?.status).toBe('queued');
  expect((await openOutbox(db.pool)).map((r) => r.key)).toEqual([`granted:${line[0]?.runId ?? ''}`]);
});

test('the same run asked for again stands where it stood, and is granted once', async () => {
  await host('h', 1);
  await ask('a');
  expect(await ask('b')).toMatchObject({ granted: false, ahead: 0 });
  expect(await ask('c')).toMatchObject({ granted: false, ahead: 1 });
  expect(await ask('c')).toMatchObject({ granted: false, ahead: 1 });
  expect(await ask('a')).toEqual({ granted: true, host: 'h' });
  await finish('a');
  expect(await ask('a')).toEqual({ granted: true, host: 'h' });
  expect(await queueCounts(db.pool)).toEqual({ queued: 1, running: 1, done: 1, failed: 0 });
});

test('a job waits for the live host that holds its clone and is overtaken meanwhile; a dead host is no preference', async () => {
  await host('one', 1);
  await ask('a', 'one');
  await host('two', 1);
  expect(await ask('b', 'one')).toMatchObject({ granted: false });
  expect(await ask('c', 'gone')).toEqual({ granted: true, host: 'two' });
  await finish('a');
  expect(await getJob(db.pool, 'b')).toMatchObject({ status: 'running', host: 'one' });
});

test('without a live host a job waits, and is granted when one comes up', async () => {
  const incarnation = await host('h', 1);
  await stopHost(db.pool, 'h', incarnation);
  expect(await ask('a')).toMatchObject({ granted: false, reason: 'no host is live' });
  await host('h', 1);
  expect(await transaction(db.pool, (tx) => grantSlots(tx, STALE))).toEqual(['a']);
  expect(await openOutbox(db.pool)).toHaveLength(1);
});

test('what is dropped from the line never runs; what is dropped from its slot gives it on', async () => {
  await host('h', 1);
  for (const id of ['a', 'b', 'c']) await ask(id);
  expect(await transaction(db.pool, (tx) => dropJob(tx, 'b', 'cancelled', STALE))).toMatchObject({ status: 'queued' });
  await expect(ask('b')).rejects.toMatchObject({ code: 'superseded' });
  await transaction(db.pool, (tx) => dropJob(tx, 'a', 'its host is lost', STALE));
  expect((await getRun(db.pool, 'a'))?.status).toBe('stopped');
  expect((await getJob(db.pool, 'c'))?.status).toBe('running');
  expect(await transaction(db.pool, (tx) => dropJob(tx, 'a', 'again', STALE))).toBeNull();
});

test('only the newest fence stores the result, once, and a late one revives nothing', async () => {
  await host('h', 1);
  await ask('a');
  const zombie = await claimRun(db.pool, 'a');
  const owner = await claimRun(db.pool, 'a');
  const started = { pid: 7, logPath: 'x', adapter: 'command', model: null, effort: null };
  expect(await noteRunStarted(db.pool, 'a', zombie?.fence ?? 0, started)).toBe(false);
  expect(await noteRunStarted(db.pool, 'a', owner?.fence ?? 0, started)).toBe(true);
  expect(await end('a', zombie?.fence ?? 0)).toBe(false);
  expect(await end('a', owner?.fence ?? 0)).toBe(true);
  expect(await end('a', owner?.fence ?? 0, { status: 'failed' })).toBe(false);
  expect(await claimRun(db.pool, 'a')).toMatchObject({ status: 'passed', fence: owner?.fence, report: report('a') });
  expect((await getJob(db.pool, 'a'))?.status).toBe('done');
});

test('a run carries its profile’s adapter and model, and costs are summed with unknown ones left out', async () => {
  await host('h', 2);
  await putProfile(db.pool, sampleProfile({ name: 'default', model: 'm1' }));
  await ask('a');
  await ask('b');
  expect(await getRun(db.pool, 'a')).toMatchObject({ adapter: 'command', model: 'm1', costKnown: false });
  const tokens = { inputTokens: 5, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 2 };
  await claimRun(db.pool, 'a');
  await end('a', 1, { usage: { ...tokens, costUsd: 0.5, model: 'm2' } });
  await claimRun(db.pool, 'b');
  await end('b', 1, { usage: { ...tokens, costUsd: null, model: null } });
  expect(await getRun(db.pool, 'a')).toMatchObject({ model: 'm2', costUsd: 0.5, costKnown: true });
  const costs = await taskCosts(db.pool, [{ repo: 'web', workItem: 'ET-001' }]);
  expect(costs.get('web/ET-001')).toEqual({
    ...tokens,
    usd: 0.5,
    inputTokens: 10,
    outputTokens: 2,
    cacheCreationTokens: 4,
  });
});

test('the newest process speaks for its host', async () => {
  const old = await host('h', 1);
  const current = await host('h', 2);
  expect(current).toBeGreaterThan(old);
  expect(await heartbeatHost(db.pool, 'h', old)).toBe(false);
  await stopHost(db.pool, 'h', old);
  expect((await liveHosts(db.pool, STALE)).map((h) => h.agentSlots)).toEqual([2]);
  await execute(db.pool, `UPDATE hosts SET last_seen_at = now() - interval '61 s'`);
  expect(await liveHosts(db.pool, STALE)).toEqual([]);
  expect(await heartbeatHost(db.pool, 'h', current)).toBe(true);
  expect((await listHosts(db.pool, STALE)).map((h) => h.live)).toEqual([true]);
});
