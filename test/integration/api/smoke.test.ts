import { afterAll, beforeAll, expect, it } from 'vitest';
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
