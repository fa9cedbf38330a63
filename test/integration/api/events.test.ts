/** The stream of changes, over a real socket with the client of the command line. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type Client } from '../../../cli/client.js';
import { startApi, type TestApi } from '../../support/api.js';

let api: TestApi;
let url: string;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
  for (const id of ['web', 'app']) await api.call('POST', '/api/repos', { id, remote: await api.newRemote(id) });
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
});
afterAll(() => api.close());

const submit = (title: string, repo = 'web') => api.call('POST', '/api/tasks', { repo, title });

interface Seen {
  id: string;
  event: string;
  subject: string;
}

/** Reads `count` events from the stream, then leaves. */
async function take(client: Client, count: number, last?: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { id, event, data } of client.events('/api/events', {}, last)) {
    seen.push({ id, event, subject: (JSON.parse(data) as { subject: string }).subject });
    if (seen.length === count) break;
  }
  return seen;
}

it('tells changes in order, and resumes without a gap', async () => {
  const client = createClient({ api: url, token: api.token });
  await submit('Zero');
  const first = await take(client, 1, '0');
  const before = first[0]?.id;
  for (const title of ['One', 'Two', 'Three']) await submit(title);
  const all = await take(client, 3, before);
  expect(all.map((e) => [e.event, e.subject])).toEqual(['2', '3', '4'].map((n) => ['task', `web/ET-00${n}`]));
  expect(await take(client, 2, all[0]?.id)).toEqual(all.slice(1));
  // A listener without a last id hears what comes from now on.
  const live = take(client, 1);
  const heard = new AbortController();
  void live.then(() => heard.abort());
  for (let i = 0; !heard.signal.aborted && i < 100; i++) {
    await api.call('POST', '/api/repos/web/freeze', { reason: `live ${i}` });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(await live).toMatchObject([{ event: 'freeze', subject: 'web' }]);
});

it('tells a token only of its repositories, by header or ticket', async () => {
  const token = await api.newToken(['tasks:read'], ['app']);
  await submit('Elsewhere', 'web');
  await submit('Here', 'app');
  expect(await take(createClient({ api: url, token }), 1, '0')).toMatchObject([{ subject: 'app/ET-001' }]);
  const { ticket } = (await api.call('POST', '/api/tickets', {}, { token })).json as { ticket: string };
  const stream = await fetch(`${url}/api/events?ticket=${ticket}`, { headers: { 'last-event-id': '0' } });
  expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  const chunks = stream.body?.getReader();
  let text = '';
  while (!text.includes('data:')) text += Buffer.from((await chunks?.read())?.value ?? []).toString();
  expect(text).toContain('app/ET-001');
  expect(text).not.toContain('web/');
  await chunks?.cancel();
  expect((await fetch(`${url}/api/events?ticket=${ticket}`)).status).toBe(401);
});

describe('a stream whose token ends', () => {
  /** Opens a stream, ends its token, and gives what came after that until the server closed it. */
  async function after(path: string, end: (id: string) => Promise<unknown>): Promise<string> {
    const made = await api.call('POST', '/api/tokens', { name: 'leaks', scopes: ['tasks:read'] });
    const { id, secret } = made.json as { id: string; secret: string };
    const open = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${secret}` } });
    expect(open.status).toBe(200);
    await end(id);
    await submit('Secret');
    return open.text();
  }
  const revoke = (id: string) => api.call('DELETE', `/api/tokens/${id}`);
  const expire = (id: string) =>
    api.database.pool.query(`UPDATE api_tokens SET expires_at = now() WHERE id = $1`, [id]);

  it.each([
    ['revoked', revoke],
    ['expired', expire],
  ])('%s: closes and tells nothing more', async (_, end) => {
    expect(await after('/api/events', end)).not.toContain('data:');
  });

  it('closes a log that is followed, too', async () => {
    const log = path.join(api.deps.runsDir, 'r1', 'out.jsonl');
    await mkdir(path.dirname(log), { recursive: true });
    await writeFile(log, 'so far');
    await api.database.pool.query(
      `INSERT INTO agent_runs (id, repo, work_item, generation, stage, attempt, agent, adapter, host, status, log_path)
       VALUES ('r1', 'web', 'ET-001', 1, 'analysis', 1, 'default', 'command', 'h1', 'running', $1)`,
      [log],
    );
    const text = await after('/api/runs/r1/log?follow=true', async (id) => {
      await revoke(id);
      await appendFile(log, 'for others');
    });
    expect(text).not.toContain('for others');
  });
});

it('ends its streams when the server closes', async () => {
  const other = await startApi();
  await other.app.listen({ host: '127.0.0.1', port: 0 });
  const address = `http://127.0.0.1:${(other.app.server.address() as AddressInfo).port}`;
  const stream = await fetch(`${address}/api/events`, { headers: { authorization: `Bearer ${other.token}` } });
  const ended = stream.text().catch(() => 'cut');
  await other.close();
  expect(await ended).toBeTypeOf('string');
});
