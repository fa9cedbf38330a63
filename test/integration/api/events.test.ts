/** The stream of changes, over a real socket with the client of the command line. */
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

it('ends its streams when the server closes', async () => {
  const other = await startApi();
  await other.app.listen({ host: '127.0.0.1', port: 0 });
  const address = `http://127.0.0.1:${(other.app.server.address() as AddressInfo).port}`;
  const stream = await fetch(`${address}/api/events`, { headers: { authorization: `Bearer ${other.token}` } });
  const ended = stream.text().catch(() => 'cut');
  await other.close();
  expect(await ended).toBeTypeOf('string');
});
