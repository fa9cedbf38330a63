/** What a person says to a queue, by the client, the API and the outbox: the workflow and the rows are real. */
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRecordActivities } from '../../../activities/records/index.js';
import type { EnqueueRequest, QueueBlock } from '../../../domain/merge-queue/types.js';
import { insertEntry } from '../../../store/merge-entries.js';
import { insertRepo } from '../../../store/repos.js';
import type { QueueRecord } from '../../../workflows/activities.js';
import { queueState } from '../../../workflows/messages.js';
import { startOutbox, type Outbox } from '../../../worker/outbox.js';
import { startApi, type TestApi } from '../../support/api.js';
import { runClient } from '../../support/client-program.js';
import { silentLog, testSettings } from '../../support/deps.js';
import { eventually } from '../../support/net.js';
import { sampleRepo } from '../../support/samples.js';
import { Outside } from './outside.js';

let api: TestApi;
let outbox: Outbox;
let outside: Outside;
let url: string;

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
  const records = createRecordActivities({
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
  const request = { ...outside.request(n), entry: String(n).repeat(32) };
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
