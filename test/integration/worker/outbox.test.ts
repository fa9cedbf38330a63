import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { execute, query, transaction, type Pool } from '../../../store/db.js';
import { claimHost, getHost, liveHosts } from '../../../store/hosts.js';
import { getJob, requestJob } from '../../../store/jobs.js';
import { addToOutbox, carryOutNext, openOutbox } from '../../../store/outbox.js';
import { insertEntry, settleEntry } from '../../../store/merge-entries.js';
import { insertRepo } from '../../../store/repos.js';
import { createTask, restartTask } from '../../../store/task-intake.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import { getRun } from '../../../store/runs.js';
import { getTask, patchTask, type Task, type TaskPatch } from '../../../store/tasks.js';
import { mergeQueueWorkflowId } from '../../../workflows/ids.js';
import { runningGeneration } from '../../../worker/effects.js';
import { startOutbox, type Outbox } from '../../../worker/outbox.js';
import { startPresence } from '../../../worker/presence.js';
import { silentLog, testSettings } from '../../support/deps.js';
import { eventually } from '../../support/net.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { sampleMirror, sampleRepo, sampleRequest, sampleRun, sampleTask } from '../../support/samples.js';
import { connectTemporal, type TestTemporal } from '../../support/temporal.js';

let db: TestDatabase;
let pool: Pool;
let temporal: TestTemporal;
let repo: string;
let n = 0;
const running: Outbox[] = [];
beforeAll(async () => {
  [db, temporal] = await Promise.all([createTestDatabase(), connectTemporal()]);
  pool = db.pool;
});
afterAll(() => Promise.all([db.drop(), temporal.close()]));
beforeEach(async () => {
  await execute(pool, 'TRUNCATE outbox, jobs, agent_runs, hosts CASCADE');
  await execute(pool, 'DELETE FROM tasks');
  repo = `${temporal.queuePrefix}-${(n += 1)}`;
  await insertRepo(pool, sampleRepo({ id: repo }));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((o) => o.stop()));
});

const outbox = async (over: { sweepMs?: number } = {}): Promise<void> => {
  const options = { pool, databaseUrl: db.url, client: temporal.client, settings: testSettings(), log: silentLog };
  running.push(await startOutbox({ ...options, queuePrefix: temporal.queuePrefix, pollMs: 200, ...over }));
};
const create = async (): Promise<Task> => (await createTask(pool, sampleTask({ repo }))).task;
const drained = (): Promise<true> =>
  eventually(async () => ((await openOutbox(pool)).length === 0 ? true : null), { what: 'an empty outbox' });
const id = (task: Task): string => `task/${task.repo}/${task.workItem}`;
const firstRun = async (task: Task): Promise<string> =>
  (await temporal.client.workflow.getHandle(id(task)).describe()).runId;

test('tasks get exactly one workflow each, also with two loops at once, and before or after the loops start', async () => {
  const before = await create();
  await Promise.all([outbox(), outbox()]);
  const after = await Promise.all(Array.from({ length: 20 }, create));
  await drained();
  for (const task of [before, ...after]) expect(await runningGeneration(temporal.client, id(task))).toBe(1);
  const [done] = await query<{ most: number }>(pool, 'SELECT max(attempts) AS most FROM outbox');
  expect(done?.most).toBe(1);
  const found = await temporal.client.workflow.getHandle(id(before)).describe();
  expect(found.typedSearchAttributes.getAll().map((a) => a.value)).toContain(before.branch);
});

test('a new priority is told to the workflow, also when it starts only later', async () => {
  const task = await create();
  const patch = (words: TaskPatch) => transaction(pool, (tx) => patchTask(tx, task.repo, task.workItem, words));
  await patch({ description: 'read from the row' });
  await patch({ priority: 'high' });
  await execute(pool, `UPDATE outbox SET available_at = now() + interval '1 s' WHERE kind = 'start-task'`);
  await outbox();
  await drained();
  await patch({ priority: 'urgent', title: 'Now' });
  await drained();
  const history = await temporal.client.workflow.getHandle(id(task)).fetchHistory();
  const told = history.events?.flatMap((e) => e.workflowExecutionSignaledEventAttributes ?? []) ?? [];
  const read = (data: unknown): unknown => JSON.parse(Buffer.from(data as Uint8Array).toString());
  expect(told.map((t) => [t.signalName, read(t.input?.payloads?.[0]?.data)])).toMatchObject([
    ['changed', { priority: 'high', title: task.title }],
    ['changed', { priority: 'urgent', title: 'Now' }],
  ]);
});

test('a row whose holder dies midway is carried out by the next one, and the workflow is still one', async () => {
  const task = await create();
  const started = eventually(async () => {
    const [holder] = await query<{ pid: number }>(
      pool,
      `SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()`,
    );
    return holder?.pid;
  });
  const dying = carryOutNext(pool, { baseMs: 1, maxMs: 1 }, async () => {
    await temporal.client.workflow.start('task', {
      ...{ workflowId: id(task), taskQueue: 'nobody', args: [], memo: { generation: 1 } },
    });
    await execute(pool, 'SELECT pg_terminate_backend($1)', [await started]);
  });
  await expect(dying).rejects.toMatchObject({ code: 'database' });
  const run = await firstRun(task);
  await outbox();
  await drained();
  expect(await firstRun(task)).toBe(run);
});

test('a failing effect is put off with its error and does not hold up the others', async () => {
  await transaction(pool, (tx) => addToOutbox(tx, 'bad', 'run-granted', { workflowId: '', runId: 'x', host: 'h' }));
  const task = await create();
  await outbox();
  await eventually(async () => ((await openOutbox(pool)).length === 1 ? true : null));
  expect(await runningGeneration(temporal.client, id(task))).toBe(1);
  const [bad] = await openOutbox(pool);
  expect(bad?.error).not.toBeNull();
});

test('the queue that sent work back for repair hears that its task is over, and no other', async () => {
  const [mending, other] = [await create(), await create()];
  const request = { ...sampleRequest(repo, mending.workItem), base: 'main' };
  await insertEntry(pool, request);
  await settleEntry(pool, request.entry, { kind: 'conflict', conflict: { paths: ['a'], hunks: '' }, baseOid: 'b' });
  const workflowId = mergeQueueWorkflowId(repo, 'main');
  const { queuePrefix: taskQueue } = temporal;
  const queue = await temporal.client.workflow.start('mergeQueue', { workflowId, taskQueue, args: [] });
  for (const { workItem } of [mending, other]) {
    await transaction(pool, (tx) => mirrorTask(tx, sampleMirror({ repo, workItem, state: 'cancelled' })));
  }
  await outbox();
  await drained();
  const { events } = await queue.fetchHistory();
  const heard = (events ?? []).flatMap((event) => event.workflowExecutionSignaledEventAttributes ?? []);
  expect(heard.map(({ signalName }) => signalName)).toEqual(['taskEnded']);
  const [said] = heard[0]?.input?.payloads ?? [];
  expect(JSON.parse(Buffer.from(said?.data ?? []).toString())).toEqual({ id: `${repo}/${mending.workItem}` });
  await queue.terminate();
});

test('a restart waits until the workflow of the generation before has ended', async () => {
  const task = await create();
  await outbox();
  await drained();
  await transaction(pool, (tx) => mirrorTask(tx, sampleMirror({ repo, workItem: task.workItem, state: 'failed' })));
  await restartTask(pool, { repo, workItem: task.workItem, generation: 1, startAt: null, by: null });
  await eventually(async () => ((await openOutbox(pool))[0]?.error ? true : null), { what: 'the refusal' });
  expect(await runningGeneration(temporal.client, id(task))).toBe(1);
  await temporal.client.workflow.getHandle(id(task)).terminate();
  await drained();
  expect(await runningGeneration(temporal.client, id(task))).toBe(2);
});

test('the sweep starts an accepted task whose workflow is not there', async () => {
  const task = await create();
  await execute(pool, 'DELETE FROM outbox');
  await execute(pool, `UPDATE tasks SET updated_at = now() - interval '1 min'`);
  await outbox({ sweepMs: 100 });
  await eventually(async () => ((await runningGeneration(temporal.client, id(task))) === 1 ? true : null));
});

test('a grant for a workflow that is gone gives its slot on, and so does a job whose task is over', async () => {
  await claimHost(pool, { id: 'h', pid: 1, agentSlots: 1, checkSlots: 1, info: {} });
  const task = await create();
  const ask = (runId: string): Promise<unknown> =>
    transaction(pool, (tx) =>
      requestJob(tx, sampleRun({ runId, repo, workItem: task.workItem, workflowId: `gone/${runId}` }), 60_000),
    );
  for (const runId of ['a', 'b', 'c']) await ask(runId);
  await outbox();
  await drained();
  await transaction(pool, (tx) => mirrorTask(tx, sampleMirror({ repo, workItem: task.workItem, state: 'cancelled' })));
  await execute(pool, `UPDATE jobs SET created_at = now() - interval '1 min', started_at = now() - interval '1 min'`);
  await outbox({ sweepMs: 100 });
  await eventually(async () => ((await getJob(pool, 'c'))?.status === 'failed' ? true : null));
});

test('a task whose workflow is terminated by hand fails with the reason, gives its slot on, and may be tried again', async () => {
  await claimHost(pool, { id: 'h', pid: 1, agentSlots: 1, checkSlots: 1, info: {} });
  const [task, next] = [await create(), await create()];
  await outbox({ sweepMs: 100 });
  await drained();
  const { workItem } = task;
  const handle = temporal.client.workflow.getHandle(id(task));
  const picture = { repo, workItem, runId: (await handle.describe()).runId };
  const ask = (runId: string, of: Task): Promise<unknown> =>
    transaction(pool, (tx) =>
      requestJob(tx, sampleRun({ runId, repo, workItem: of.workItem, workflowId: id(of) }), 60_000),
    );
  await ask('its run', task);
  await ask('another', next);
  await transaction(pool, (tx) => mirrorTask(tx, sampleMirror({ ...picture, seq: 1 })));

  await handle.terminate('wrong repository');
  const failed = await eventually(async () => {
    const now = await getTask(pool, repo, workItem);
    return now?.state === 'failed' ? now : null;
  });
  expect(failed).toMatchObject({ waitingOn: null, agentRunning: null });
  expect(failed.endReason).toMatch(/^its workflow task\/.* was terminated by .*: wrong repository$/);
  expect(await getRun(pool, 'its run')).toMatchObject({ status: 'stopped' });
  expect(await getJob(pool, 'another')).toMatchObject({ status: 'running', host: 'h' });
  // What its workflow still had under way shows nothing any more.
  expect(await transaction(pool, (tx) => mirrorTask(tx, sampleMirror({ ...picture, seq: 2 })))).toBe(false);

  await restartTask(pool, { repo, workItem, generation: 1, startAt: null, by: null });
  await eventually(async () => ((await runningGeneration(temporal.client, id(task))) === 2 ? true : null));
  expect(await getTask(pool, repo, workItem)).toMatchObject({ generation: 2, state: 'queued', endReason: null });
});

test('presence keeps the host live, grants waiting jobs, and ends when a newer process claims the host', async () => {
  await create();
  await transaction(pool, (tx) => requestJob(tx, sampleRun({ runId: 'w', repo }), 400));
  let superseded = 0;
  const start = (): ReturnType<typeof startPresence> =>
    startPresence({
      ...{ pool, staleMs: 400, log: silentLog, onSuperseded: () => (superseded += 1) },
      host: { id: 'p', pid: 1, agentSlots: 1, checkSlots: 1, info: {} },
    });
  const first = await start();
  expect((await getJob(pool, 'w'))?.status).toBe('running');
  const seen = (await getHost(pool, 'p', 400))?.lastSeenAt;
  await eventually(async () => ((await getHost(pool, 'p', 400))?.lastSeenAt !== seen ? true : null));
  const second = await start();
  expect(second.incarnation).toBe(first.incarnation + 1);
  await eventually(() => (superseded === 1 ? true : null));
  await first.stop();
  expect(await liveHosts(pool, 400)).toHaveLength(1);
  await second.stop();
  expect(await liveHosts(pool, 400)).toHaveLength(0);
});
