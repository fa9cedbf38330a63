/** Who gets in: tokens, scopes, repositories, hosts, tickets; and the document that says so. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashSecret, newSecret } from '../../../api/auth.js';
import { createToken, revokeToken } from '../../../store/tokens.js';
import { startApi, type TestApi } from '../../support/api.js';

let api: TestApi;
const expired = newSecret('sbx_');
const revoked = newSecret('sbx_');

beforeAll(async () => {
  api = await startApi();
  const all = { scopes: SCOPES, repos: null };
  const { pool } = api.database;
  await createToken(pool, { name: 'e', hash: hashSecret(expired), ...all, expiresAt: '2001-01-01T00:00:00Z' });
  const { id: old } = await createToken(pool, { name: 'r', hash: hashSecret(revoked), ...all, expiresAt: null });
  await revokeToken(pool, old);
  await api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
  for (const id of ['web', 'app']) {
    expect((await api.call('POST', '/api/repos', { id, remote: await api.newRemote(id) })).status).toBe(201);
    expect((await api.call('POST', '/api/tasks', { repo: id, title: 'One' })).status).toBe(201);
  }
});
afterAll(() => api.close());

const SHA = 'a'.repeat(40);
/** Every route that is not public, with the scope it needs. */
const ROUTES: [method: string, url: string, scope: string, body?: object][] = [
  ['GET', '/api/tasks', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001/explain', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001/timeline', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001/runs', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001/diff', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001/merge-preview', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001/artifacts/analysis', 'tasks:read'],
  ['GET', '/api/runs/x', 'tasks:read'],
  ['GET', '/api/runs/x/log', 'tasks:read'],
  ['GET', '/api/tasks/web/ET-001/checks', 'tasks:read'],
  ['GET', '/api/checks/x', 'tasks:read'],
  ['GET', '/api/checks/x/log', 'tasks:read'],
  ['GET', '/api/repos', 'tasks:read'],
  ['GET', '/api/repos/web', 'tasks:read'],
  ['GET', '/api/repos/web/merge-queue', 'tasks:read'],
  ['GET', '/api/repos/web/audit', 'tasks:read'],
  ['GET', '/api/repos/web/conflicts', 'tasks:read'],
  ['GET', '/api/repos/web/freezes', 'tasks:read'],
  ['GET', '/api/queue', 'tasks:read'],
  ['GET', '/api/events', 'tasks:read'],
  ['GET', '/api/agent-profiles', 'tasks:read'],
  ['POST', '/api/tasks', 'tasks:write', { repo: 'web', title: 'Two' }],
  ['PATCH', '/api/tasks/web/ET-001', 'tasks:write', { title: 'Changed' }],
  ['POST', '/api/tasks/web/ET-001/cancel', 'tasks:write', {}],
  ['POST', '/api/tasks/web/ET-001/retry', 'tasks:write', {}],
  ['POST', '/api/tasks/web/ET-001/redo', 'tasks:write', { stage: 'analysis' }],
  ['POST', '/api/tasks/web/ET-001/approve', 'decisions:write', { stage: 'approval', sha: SHA }],
  ['POST', '/api/tasks/web/ET-001/reject', 'decisions:write', { stage: 'approval', sha: SHA }],
  ['POST', '/api/tasks/web/ET-001/answer', 'decisions:write', { text: 'yes' }],
  ['POST', '/api/repos', 'repos:admin', { id: 'web', remote: '/x' }],
  ['PATCH', '/api/repos/web', 'repos:admin', { checkout: null }],
  ['DELETE', '/api/repos/web', 'repos:admin'],
  ...['pause', 'resume', 'drain', 'freeze', 'unfreeze'].map((action): [string, string, string, object] => [
    'POST',
    `/api/repos/web/${action}`,
    'repos:admin',
    {},
  ]),
  ['POST', '/api/repos/web/rebuild', 'repos:admin', {}],
  ['POST', '/api/serial-gate/unfreeze', 'repos:admin', { repo: 'web' }],
  ['DELETE', `/api/repos/web/merge-queue/entries/${'a'.repeat(32)}`, 'repos:admin'],
  ['PATCH', `/api/repos/web/merge-queue/entries/${'a'.repeat(32)}`, 'repos:admin', {}],
  ['PUT', '/api/agent-profiles/coder', 'admin', { command: ['true'] }],
  ['POST', '/api/tokens', 'admin', { name: 'x', scopes: ['admin'] }],
  ['GET', '/api/tokens', 'admin'],
  ['DELETE', '/api/tokens/x', 'admin'],
  ['PUT', '/api/hooks/x', 'admin', { source: 'github', secrets: ['s'], projects: { 'acme/web': 'web' } }],
  ['GET', '/api/hooks', 'admin'],
  ['DELETE', '/api/hooks/x', 'admin'],
  ['GET', '/api/audit', 'admin'],
  ['GET', '/api/hosts', 'admin'],
];
const SCOPES = [
  'tasks:read',
  'tasks:write',
  'decisions:write',
  'agents:write',
  'commands:write',
  'repos:admin',
  'admin',
];

const state = async (): Promise<unknown> =>
  (
    await api.database.pool.query(
      'SELECT (SELECT count(*) FROM tasks), (SELECT string_agg(title, $1) FROM tasks), ' +
        '(SELECT count(*) FROM repo_gate), (SELECT count(*) FROM agent_profiles), (SELECT count(*) FROM repos)',
      [','],
    )
  ).rows;

describe.each(ROUTES)('%s %s', (method, url, scope, body) => {
  it('knows neither strangers nor the wrong scope nor another repository', async () => {
    const before = await state();
    const bodies = new Set<string>();
    for (const authorization of [
      undefined,
      ...[newSecret('sbx_'), expired, revoked].map((secret) => `Bearer ${secret}`),
    ]) {
      const reply = await api.call(method, url, body, {
        token: null,
        headers: { ...(authorization && { authorization }) },
      });
      expect(reply.status).toBe(401);
      bodies.add(reply.text);
    }
    expect(bodies.size).toBe(1);
    const others = await api.newToken(SCOPES.filter((s) => s !== scope));
    expect((await api.call(method, url, body, { token: others })).status).toBe(403);
    const elsewhere = await api.newToken(SCOPES, ['app']);
    if (url.includes('/web') || JSON.stringify(body ?? {}).includes('"web"')) {
      expect((await api.call(method, url, body, { token: elsewhere })).status).toBe(403);
    }
    expect(await state()).toEqual(before);
  });
});

it.each([
  'Basic eDp5',
  'Bearer',
  'Bearer x',
  newSecret('sbx_'),
  `Token ${newSecret('sbx_')}`,
  `Bearer ${newSecret('abc_')}`,
])('does not know %s', async (authorization) => {
  expect((await api.call('GET', '/api/tasks', undefined, { token: null, headers: { authorization } })).status).toBe(
    401,
  );
});

it('names every route of the document in this table', async () => {
  const { paths } = (await api.call('GET', '/api/spec')).json as { paths: Record<string, object> };
  const documented = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '*')}`),
  );
  const known = ROUTES.map(([method, url]) => {
    const path = url
      .replace(/\/web\b/, '/*')
      .replace(/\/ET-001\b/, '/*')
      .replace(/\/a{32}/, '/*');
    return `${method} ${path
      .replace(/\/(runs|checks|tokens|hooks)\/x/, '/$1/*')
      .replace(/artifacts\/\w+/, 'artifacts/*')
      .replace('/coder', '/*')}`;
  });
  const open = ['GET /health/live', 'GET /health/ready', 'POST /api/tickets', 'POST /webhooks/*/*'];
  expect(documented.filter((route) => !known.includes(route)).sort()).toEqual(open.sort());
});

it('shows a token only what it was granted', async () => {
  const token = await api.newToken(SCOPES, ['app']);
  const lists = ['/api/tasks', '/api/repos', '/api/queue'];
  for (const url of lists) expect((await api.call('GET', url, undefined, { token })).text).not.toContain('web');
  const wide = await api.call('POST', '/api/tokens', { name: 'wide', scopes: ['admin'] }, { token });
  expect(wide.status).toBe(403);
  const narrow = { name: 'narrow', scopes: ['tasks:read'], repos: ['app'] };
  expect((await api.call('POST', '/api/tokens', narrow, { token })).status).toBe(201);
});

it('makes, lists and revokes tokens', async () => {
  const made = await api.call('POST', '/api/tokens', { name: 'ci', scopes: ['tasks:read'], repos: ['web'] });
  expect(made.status).toBe(201);
  const { id, secret } = made.json as { id: string; secret: string };
  expect(secret).toMatch(/^sbx_[\w-]{43}$/);
  expect((await api.call('GET', '/api/tasks', undefined, { token: secret })).status).toBe(200);
  const listed = await api.call('GET', '/api/tokens?limit=500');
  expect(listed.text).toContain(id);
  expect(listed.text).not.toContain(secret);
  expect((await api.call('DELETE', `/api/tokens/${id}`)).status).toBe(200);
  expect((await api.call('GET', '/api/tasks', undefined, { token: secret })).status).toBe(401);
  const { rows } = await api.database.pool.query<{ all: string }>('SELECT t::text AS all FROM api_tokens t');
  expect(rows.some((row) => row.all.includes(secret))).toBe(false);
});

it('refuses a token in the query string', async () => {
  for (const name of ['token', 'access_token', 'ticket', 'x']) {
    const reply = await api.call('GET', `/api/tasks?${name}=${api.token}`, undefined, { token: null });
    expect(reply.status).toBe(401);
  }
  expect((await api.call('GET', `/api/tasks?token=${api.token}`)).status).toBe(401);
});

it('takes a ticket once, on event streams alone', async () => {
  const { ticket } = (await api.call('POST', '/api/tickets', {})).json as { ticket: string };
  expect((await api.call('GET', `/api/tasks?ticket=${ticket}`, undefined, { token: null })).status).toBe(401);
  const log = `/api/runs/absent/log?ticket=${ticket}`;
  expect((await api.call('GET', log, undefined, { token: null })).status).toBe(404);
  expect((await api.call('GET', log, undefined, { token: null })).status).toBe(401);
});

it.each(['evil.example', 'evil.example:80', 'localhost.evil.example', '127.0.0.1.evil.example', '169.254.1.1', 'a b'])(
  'answers for no host called %j',
  async (host) => {
    expect((await api.call('GET', '/api/tasks', undefined, { headers: { host } })).status).toBe(421);
  },
);

it.each(['localhost', '127.0.0.1:7700', '[::1]:7700', 'SIGNALBOX.test:443'])('answers for %s', async (host) => {
  expect((await api.call('GET', '/api/tasks', undefined, { headers: { host } })).status).toBe(200);
});

describe('Idempotency-Key', () => {
  const headers = (key: string): object => ({ headers: { 'idempotency-key': key } });

  it('gives the first answer again', async () => {
    const body = { repo: 'web', title: 'Once' };
    const first = await api.call('POST', '/api/tasks', body, headers('k1'));
    const again = await api.call('POST', '/api/tasks', body, headers('k1'));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect((again.json as { task: string }).task).toBe((first.json as { task: string }).task);
    expect((await api.call('POST', '/api/tasks', { repo: 'web', title: 'Other' }, headers('k1'))).status).toBe(422);
    const other = await api.newToken();
    const theirs = await api.call('POST', '/api/tasks', body, { token: other, ...headers('k1') });
    expect((theirs.json as { task: string }).task).not.toBe((first.json as { task: string }).task);
  });

  it('does the work once under a race', async () => {
    const body = { repo: 'web', title: 'Raced' };
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => api.call('POST', '/api/tasks', body, headers('k2'))),
    );
    const made = replies.filter((r) => r.status === 201).map((r) => (r.json as { task: string }).task);
    expect(new Set(made).size).toBe(1);
    expect(replies.every((r) => r.status === 201 || r.status === 409)).toBe(true);
  });

  it('keeps no secret', async () => {
    const body = { name: 'kept', scopes: ['tasks:read'] };
    const { secret } = (await api.call('POST', '/api/tokens', body, headers('k3'))).json as { secret: string };
    const again = await api.call('POST', '/api/tokens', body, headers('k3'));
    expect(again.json).toMatchObject({ name: 'kept', secret: null });
    const { rows } = await api.database.pool.query<{ all: string }>('SELECT t::text AS all FROM idempotency_keys t');
    expect(rows.some((row) => row.all.includes(secret))).toBe(false);
  });

  it('keeps a refusal, and refuses a key that is none', async () => {
    const body = { repo: 'absent', title: 'x' };
    expect((await api.call('POST', '/api/tasks', body, headers('k4'))).status).toBe(422);
    const again = await api.call('POST', '/api/tasks', body, headers('k4'));
    expect([again.status, again.headers['idempotency-replayed']]).toEqual([422, 'true']);
    expect((await api.call('POST', '/api/tasks', body, headers('x'.repeat(256)))).status).toBe(400);
  });
});

it('writes down who did what', async () => {
  const token = await api.newToken(SCOPES);
  await api.call('POST', '/api/repos/web/freeze', { reason: 'audit me' }, { token });
  await api.call('DELETE', '/api/repos/web', undefined, { token });
  await api.call('POST', '/api/repos/web/unfreeze', {}, { token });
  const { items } = (await api.call('GET', '/api/audit?subject=web&limit=3')).json as { items: object[] };
  expect(items).toMatchObject([
    { actor: 'test', action: 'repo.unfreeze', result: 'accepted' },
    { actor: 'test', action: 'repo.remove', result: 'refused: conflict' },
    { actor: 'test', action: 'repo.freeze', result: 'accepted' },
  ]);
});

it('is described by api/openapi.json (vitest -u writes it anew)', async () => {
  const spec = (await api.call('GET', '/api/spec', undefined, { token: null })).json;
  const file = fileURLToPath(new URL('../../../api/openapi.json', import.meta.url));
  await expect(`${JSON.stringify(spec, null, 2)}\n`).toMatchFileSnapshot(file);
});
