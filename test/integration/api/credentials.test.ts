/** A secret that somebody puts where none belongs, or that is used where one does, is in no log, answer or row. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { query } from '../../../store/db.js';
import { startApi, type Reply, type TestApi } from '../../support/api.js';

const SECRET = 'hunter2-in-the-address';
const TOKEN = 'ghp_of-the-environment';
let api: TestApi;
let remote: Server;
let log = '';
beforeAll(async () => {
  process.env.SIGNALBOX_TEST_REMOTE_TOKEN = TOKEN;
  api = await startApi({}, pino({ level: 'trace' }, { write: (line: string) => void (log += line) }));
  // A forge that lets nobody in, and says back what it was told.
  remote = createServer((request, reply) => {
    const said = Buffer.from((request.headers.authorization ?? '').slice(6), 'base64').toString();
    reply.writeHead(said === '' ? 401 : 403, { 'www-authenticate': 'Basic realm="x"' }).end(`no entry for ${said}`);
  }).listen(0, '127.0.0.1');
  await once(remote, 'listening');
});
afterAll(async () => {
  remote.close();
  await api.close();
  delete process.env.SIGNALBOX_TEST_REMOTE_TOKEN;
});

/** Every row of every table that a request may leave something in. */
async function rows(): Promise<string> {
  const tables = ['repos', 'audit', 'events', 'outbox', 'idempotency_keys'];
  const all = await Promise.all(tables.map((t) => query(api.database.pool, `SELECT ${t}::text AS row FROM ${t}`)));
  return JSON.stringify(all);
}

let requests = 0;
/** Asks with a key of its own, so that the answer is stored too, and makes sure that it is. */
async function post(body: unknown): Promise<Reply> {
  const key = `credentials-${++requests}`;
  const reply = await api.call('POST', '/api/repos', body, { headers: { 'idempotency-key': key } });
  const kept = await query<{ status: number; response: unknown }>(
    api.database.pool,
    'SELECT status, response FROM idempotency_keys WHERE key = $1',
    [key],
  );
  expect(kept, 'the answer is kept for whoever repeats the request').toMatchObject([{ status: reply.status }]);
  expect(kept[0]?.response).toEqual(reply.json);
  return reply;
}

test.each([
  ['in an https address', `https://ann:${SECRET}@127.0.0.1:1/x.git`],
  ['as the user of an address', `https://${SECRET}@127.0.0.1:1/x.git`],
  ['in an ssh address', `ssh://ann:${SECRET}@127.0.0.1:1/x.git`],
  ['in a helper that runs a command', `ext::sh -c "echo ${SECRET}"`],
])('a secret %s is refused and kept nowhere', async (_where, address) => {
  const reply = await post({ id: 'secret', remote: address, base: 'main' });
  expect(reply.status).toBeGreaterThanOrEqual(400);
  expect(reply.status).toBeLessThan(500);
  const kept = await rows();
  expect(kept, 'that it was refused is kept').toContain('refused: ');
  for (const text of [reply.text, JSON.stringify(reply.headers), log, kept]) expect(text).not.toContain(SECRET);
});

test('a token that the remote refuses is in no log, answer or row', async () => {
  const { port } = remote.address() as AddressInfo;
  const reply = await post({
    ...{ id: 'forge', remote: `http://127.0.0.1:${port}/x.git`, base: 'main' },
    auth: { kind: 'token', ref: 'env:SIGNALBOX_TEST_REMOTE_TOKEN' },
  });
  expect(reply.status).toBe(422);
  for (const text of [reply.text, log, await rows()]) expect(text).not.toContain(TOKEN);
});
