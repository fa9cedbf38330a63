/** What a person says to a queue, by the client, the API and the outbox: the workflow and the rows are real. */
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRecordActivities } from '../../../activities/records/index.js';
import type { EnqueueRequest, QueueBlock } from '../../../domain/merge-queue/types.js';
import { execute } from '../../../store/db.js';
import { getEntry, insertEntry } from '../../../store/merge-entries.js';
import { insertRepo } from '../../../store/repos.js';
import { createTask } from '../../../store/task-intake.js';
import type { QueueRecord, RecordActivities } from '../../../workflows/activities.js';
import { queueState } from '../../../workflows/messages.js';
import { startOutbox, type Outbox } from '../../../worker/outbox.js';
import { startApi, type TestApi } from '../../support/api.js';
import { runClient } from '../../support/client-program.js';
import { silentLog, testSettings } from '../../support/deps.js';
import { eventually } from '../../support/net.js';
import { sampleMirror, sampleRepo, sampleTask } from '../../support/samples.js';
import { Outside } from './outside.js';

let api: TestApi;
let outbox: Outbox;
let outside: Outside;
let url: string;
let records: RecordActivities;

beforeAll(async () => {
  api = await startApi();
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
  const { pool } = api.database;
  const { client, queuePrefix } = api.temporal;
  const options = { pool, databaseUrl: api.database.url, client, settings: testSettings(), queuePrefix };
  outbox = await startOutbox({ ...options, log: silentLog, pollMs: 200 });
});
afterAll(async () => {
  await outbox.stop();
  await api.close();
});
beforeEach(async () => {
  const { pool } = api.database;
  const { client, queuePrefix } = api.temporal;
  records = createRecordActivities({
    ...{ pool, client, settings: testSettings(), queuePrefix },
    resolveTree: () => Promise.reject(new Error('nobody asks for a tree here')),
  });
  outside = new Outside(api.temporal, {
    readGates: (repo: string) => records.readGates(repo),
    recordQueue: (update: QueueRecord) => records.recordQueue(update),
  });
  await outside.start();
  await insertRepo(pool, sampleRepo({ id: outside.repo }));
});
afterEach(async () => {
  await outside.queue().terminate();
  await outside.stop();
});

const view = () => outside.queue().query(queueState);
const until = (what: string, ok: () => Promise<boolean>): Promise<unknown> =>
  eventually(async () => ((await ok()) ? true : null), { timeoutMs: 20_000, everyMs: 50, what });
const signalbox = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await runClient(args, { api: url, token: api.token, dataDir: api.dir });
  expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
  return out;
};
/** As the task would: the row first, then the queue. */
async function enqueue(n: number): Promise<{ request: EnqueueRequest; told: Promise<unknown> }> {
  const request = { ...outside.request(n), entry: `${n}${outside.repo.slice(1)}`.padEnd(32, '0') };
  await insertEntry(api.database.pool, request);
  const task = await outside.enqueue(request);
  return { request, told: task.result() };
}

test('a push that a rule of the remote refuses: the rule is mended, and resume tries again at once', async () => {
  const block: QueueBlock = {
    ...{ code: 'push-refused', reason: 'protected branch', clearedBy: `signalbox resume ${outside.repo}` },
    ...{ baseOid: null, since: new Date().toISOString() },
  };
  outside.pushRefused = block;
  const { told } = await enqueue(1);
  await until('the block', async () => (await view()).state === 'blocked');
  outside.pushRefused = null;
  await signalbox(...(block.clearedBy ?? '').split(' ').slice(1));
  expect(await told).toMatchObject({ kind: 'landed' });
});

test('a frozen base: the client says which entry is the fix, and it lands before what was there', async () => {
  const { repo } = outside;
  await signalbox('freeze', repo, '--reason', 'a bad deployment');
  const first = await enqueue(1);
  const fix = await enqueue(2);
  const task = fix.request.task;
  await until('both in the rows', async () => (await signalbox('queue', repo)).includes(task));
  expect(await view()).toMatchObject({ state: 'frozen' });
  const nothing = await runClient(['entry', 'change', repo, task], { api: url, token: api.token, dataDir: api.dir });
  expect(nothing).toMatchObject({ code: 1, err: expect.stringContaining('--priority, --fix or --no-fix') as string });
  expect(await signalbox('entry', 'change', repo, task, '--priority', 'high')).toBe(`${task} is in the queue, high\n`);
  await until('its new place', async () => (await view()).entries[0]?.task === task);
  expect(await signalbox('entry', 'change', repo, 'ET-002', '--fix')).toContain('may land while base is frozen');
  expect(await fix.told).toMatchObject({ kind: 'landed' });
  expect(outside.landed.map((l) => l.entry)).toEqual([fix.request.entry]);
  expect(await signalbox('entry', 'withdraw', repo, 'ET-001')).toContain('withdrawn');
  expect(await first.told).toMatchObject({ kind: 'withdrawn' });
});

test('what a person said of an entry outlives its queue, and a new priority of the task is the last word', async () => {
  const { repo } = outside;
  const { pool } = api.database;
  const task = `/api/tasks/${repo}/ET-001`;
  await signalbox('freeze', repo);
  const { request, told } = await enqueue(1);
  // The listener stands for the workflow of the task.
  await createTask(pool, sampleTask({ repo }));
  await execute(pool, `DELETE FROM outbox WHERE kind = 'start-task'`);
  const url = `/api/repos/${repo}/merge-queue/entries/${request.entry}`;
  await until('the freeze', async () => (await view()).state === 'frozen');
  await outside.queue().terminate();
  expect(await api.call('PATCH', url, { priority: 'urgent' })).toMatchObject({ status: 200 });
  const again = () => records.enqueueLanding(request, sampleMirror({ repo, seq: 1, stage: 'merge' }));
  await again();
  await until('its place', async () => (await view()).entries[0]?.priority === 'urgent');
  await api.call('PATCH', task, { title: 'Other words' });
  expect((await getEntry(pool, request.entry))?.edit.priority).toBe('urgent');
  await api.call('PATCH', task, { priority: 'low' });
  await until('the place of the task', async () => (await view()).entries[0]?.priority === request.priority);
  await outside.queue().terminate();
  const holds = async (): Promise<string> => (await api.call('GET', `${task}/explain`)).text;
  expect(await holds()).toContain(`signalbox entry change ${repo} ET-001 --fix`);
  await api.call('PATCH', url, { fix: true });
  expect(await holds()).not.toContain('freeze');
  await again();
  expect(await told).toMatchObject({ kind: 'landed' });
});
