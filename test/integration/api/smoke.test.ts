import { afterAll, beforeAll, expect, it } from 'vitest';
import { transaction } from '../../../store/db.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import type { WaitKind } from '../../../domain/tasks.js';
import { sampleMirror } from '../../support/samples.js';
import { startApi, type TestApi } from '../../support/api.js';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

it('walks from a repository to a task', async () => {
  expect((await api.call('GET', '/health/ready', undefined, { token: null })).json).toEqual({
    status: 'ok',
    parts: { database: 'ok', temporal: 'ok' },
  });
  const remote = await api.newRemote('web');
  const body = { id: 'web', remote, base: 'main', workItemPrefix: 'ET' };
  expect((await api.call('POST', '/api/repos', body)).status).toBe(201);
  expect((await api.call('POST', '/api/repos', body)).status).toBe(200);
  const missing = await api.call('POST', '/api/tasks', { repo: 'web', title: 'A task' });
  expect(missing.status).toBe(422);
  expect(missing.text).toContain('signalbox agent-profile set analyst -- COMMAND');
  const profile = { adapter: 'command', command: ['node', '/opt/agent.mjs'] };
  expect((await api.call('PUT', '/api/agent-profiles/default', profile)).status).toBe(200);
  const task = await api.call('POST', '/api/tasks', { repo: 'web', title: 'A task', number: 12 });
  expect(task.status).toBe(201);
  expect(task.json).toMatchObject({ task: 'web/ET-012', state: 'queued', waitingOn: { kind: 'start' } });
  for (const url of [
    '/api/tasks',
    '/api/tasks/web/ET-012',
    '/api/tasks/web/ET-012/explain',
    '/api/tasks/web/ET-012/timeline',
    '/api/tasks/web/ET-012/runs',
    '/api/tasks/web/ET-012/diff?against=base',
    '/api/repos',
    '/api/repos/web',
    '/api/repos/web/merge-queue?base=main',
    '/api/repos/web/freezes',
    '/api/queue?limit=3',
    '/api/audit',
    '/api/hosts',
    '/api/tokens',
    '/api/agent-profiles',
    '/api/spec',
    '/docs',
    '/health/live',
  ]) {
    const reply = await api.call('GET', url);
    expect([url, reply.status, reply.status === 200 ? '' : reply.text]).toEqual([url, 200, '']);
  }
});

it.each([
  ['start', null, ['start', 'host']],
  ['host', null, ['host', 'host']],
  ['check', 'base-red', ['check', 'host']],
  ['backoff', null, ['backoff']],
] as const)('explains a wait for %s from the row where no worker answers', async (kind: WaitKind, code, chain) => {
  const made = await api.call('POST', '/api/tasks', { repo: 'web', title: kind });
  const { task, workItem } = made.json as { task: string; workItem: string };
  const until = kind === 'backoff' ? '2026-11-21T00:00:10.000Z' : null;
  const since = '2026-11-21T00:00:00.000Z';
  const waitingOn = {
    kind,
    since,
    until,
    detail: 'why',
    code,
    artifact: null,
    unblockedBy: ['who'],
    links: { a: 'b' },
  };
  await transaction(api.database.pool, (tx) => mirrorTask(tx, sampleMirror({ workItem, waitingOn })));
  const answer = (await api.call('GET', `/api/tasks/${task}/explain`)).json as { chain: { kind: string }[] };
  expect(answer).toMatchObject({ stale: true });
  expect(answer.chain[0]).toMatchObject({ kind, since, until, detail: 'why', unblockedBy: ['who'], links: { a: 'b' } });
  expect(answer.chain.map((link) => link.kind)).toEqual(chain);
});

it('shows its documentation to a browser that knows only the address', async () => {
  const reply = await api.call('GET', '/', undefined, { token: null });
  expect([reply.status, reply.headers.location]).toEqual([302, '/docs']);
});
