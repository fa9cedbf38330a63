/** Changing a repository: judged as a whole, and nobody's change is lost. */
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../../api/server.js';
import { demoGit } from '../../../cli/demo/git.js';
import type { EnqueueRequest, QueueView } from '../../../domain/merge-queue/types.js';
import { getEntry, insertEntry, settleEntry } from '../../../store/merge-entries.js';
import { mirrorQueue } from '../../../store/merge-queues.js';
import { transaction } from '../../../store/db.js';
import { openOutbox } from '../../../store/outbox.js';
import { updateRepo } from '../../../store/repos.js';
import { startApi, type TestApi } from '../../support/api.js';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
  const checks = ['unit', 'lint'].map((name) => ({ name, command: ['true'] }));
  const pipeline = { stages: [{ name: 'testing', kind: 'check', checks: ['unit'] }] };
  const added = await api.call('POST', '/api/repos', {
    id: 'web',
    remote: await api.newRemote('web'),
    checks,
    pipeline,
  });
  expect(added.status).toBe(201);
});
afterAll(() => api.close());

const repo = async (): Promise<Record<string, unknown>> =>
  (await api.call('GET', '/api/repos/web')).json as Record<string, unknown>;

describe('a change', () => {
  it.each([[[]], [[{ name: 'other', command: ['true'] }]]])(
    'of checks is judged with the pipeline: %j',
    async (checks) => {
      const before = await repo();
      const refused = await api.call('PATCH', '/api/repos/web', { checks });
      expect(refused.json).toMatchObject({ status: 422, code: 'invalid-pipeline', faults: [{ field: 'checks' }] });
      expect(refused.text).toContain('no check `unit`');
      expect(await repo()).toEqual(before);
      const together = { checks, pipeline: { stages: [{ name: 'testing', kind: 'check' }] } };
      expect((await api.call('PATCH', '/api/repos/web', together)).status).toBe(200);
      await api.call('PATCH', '/api/repos/web', { checks: before.checks, pipeline: before.pipeline });
    },
  );

  it('keeps what others change at the same time, whatever they change', async () => {
    const patches = Array.from({ length: 6 }, (_, i) => [
      { checks: [{ name: 'unit', command: ['true', String(i)] }] },
      { merge: { strategy: 'merge' } },
      { setup: { command: ['npm', 'ci'] } },
      { auth: { kind: 'none' } },
    ]).flat();
    const lastPipeline = { stages: [{ name: 'seen', kind: 'check' as const, checks: null, onFail: null }] };
    const [replies] = await Promise.all([
      Promise.all(patches.map((patch) => api.call('PATCH', '/api/repos/web', patch))),
      updateRepo(api.database.pool, 'web', { facts: { lastPipeline } }),
    ]);
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200]));
    expect(await repo()).toMatchObject({
      checks: [{ command: ['true', expect.any(String)] }],
      merge: { strategy: 'merge' },
      setup: { command: ['npm', 'ci'] },
      facts: { lastPipeline, headsPrefix: 'refs/signalbox/heads/' },
    });
  });
});

describe('a remote', () => {
  const theirs = async (name: string): Promise<string> => {
    const remote = await api.newRemote(name);
    const message = ['-m', 'Owner', '-m', 'Signalbox-Instance: of-others'];
    const commit = await demoGit(remote, ['commit-tree', 'main^{tree}', ...message]);
    await demoGit(remote, ['update-ref', 'refs/signalbox/owner', commit.trim()]);
    return remote;
  };

  it('that another instance lands on is refused, with nothing stored or written, until it is taken over', async () => {
    const remote = await theirs('shared');
    const refs = await demoGit(remote, ['for-each-ref']);
    const refused = await api.call('POST', '/api/repos', { id: 'shared', remote });
    expect(refused.json).toMatchObject({ status: 409, code: 'conflict', faults: [{ field: 'remote' }] });
    expect(refused.text).toContain('of-others');
    expect((await api.call('GET', '/api/repos/shared')).status).toBe(404);
    expect(await demoGit(remote, ['for-each-ref'])).toBe(refs);
    const taken = await api.call('POST', '/api/repos', { id: 'shared', remote, takeOver: true });
    expect(taken.status).toBe(201);
    expect((await api.call('POST', '/api/repos', { id: 'shared', remote })).status).toBe(200);
  });

  it('that was taken over by another instance begins anew when it is taken back', async () => {
    const remote = await api.newRemote('back');
    const added = await api.call('POST', '/api/repos', { id: 'back', remote });
    const { adoptedAt } = added.json as { adoptedAt: string };
    const tree = (await demoGit(remote, ['rev-parse', 'main^{tree}'])).trim();
    const other = (await demoGit(remote, ['commit-tree', tree, '-p', adoptedAt, '-m', 'Of the other'])).trim();
    for (const ref of ['refs/signalbox/owner', 'refs/heads/main']) await demoGit(remote, ['update-ref', ref, other]);
    expect((await api.call('PATCH', '/api/repos/back', { checkout: null })).status).toBe(409);
    const back = await api.call('PATCH', '/api/repos/back', { takeOver: true });
    expect([back.status, back.json]).toMatchObject([200, { adoptedAt: other }]);
    expect((await api.call('PATCH', '/api/repos/back', { takeOver: true })).json).toMatchObject({ adoptedAt: other });
  });

  it('whose work items would have the names of another repository’s on it is refused', async () => {
    const remote = await api.newRemote('bases');
    await demoGit(remote, ['branch', 'next', 'main']);
    expect((await api.call('POST', '/api/repos', { id: 'bases', remote })).status).toBe(201);
    const twin = await api.call('POST', '/api/repos', { id: 'bases-next', remote, base: 'next' });
    expect(twin.json).toMatchObject({ status: 409, faults: [{ field: 'workItemPrefix', value: 'ET' }] });
    const other = { id: 'bases-next', remote, base: 'next', workItemPrefix: 'NX' };
    expect((await api.call('POST', '/api/repos', other)).status).toBe(201);
  });
});

describe('a secret', () => {
  const token = { kind: 'token', ref: 'env:TOKEN' };

  it('is not sent in clear text', async () => {
    const body = { id: 'far', remote: 'http://git.example/far.git', auth: token };
    for (const auth of [token, { kind: 'helper', ref: 'env:HELPER' }]) {
      const refused = await api.call('POST', '/api/repos', { ...body, auth });
      expect(refused.json).toMatchObject({ status: 422, code: 'not-acceptable', faults: [{ field: 'auth.kind' }] });
      expect(refused.text).toContain('clear text');
    }
    expect((await api.call('GET', '/api/repos/far')).status).toBe(404);
  });

  it('is not given to a remote that was registered without one', async () => {
    const { pool } = api.database;
    await updateRepo(pool, 'web', { remote: 'http://git.example/web.git' });
    const before = await repo();
    const refused = await api.call('PATCH', '/api/repos/web', { auth: token });
    expect(refused.json).toMatchObject({ status: 422, code: 'not-acceptable', faults: [{ field: 'auth.kind' }] });
    expect(await repo()).toEqual(before);
  });

  it('may go to this machine: there it is the remote that is judged', async () => {
    const body = { id: 'near', remote: 'http://127.0.0.1:1/near.git', auth: token };
    expect((await api.call('POST', '/api/repos', body)).text).not.toContain('clear text');
  });
});

describe('a gate', () => {
  const state = async (): Promise<unknown> =>
    ((await api.call('GET', '/api/repos/web/merge-queue')).json as { state: unknown }).state;
  const post = (action: string, body: object = {}) => api.call('POST', `/api/repos/web/${action}`, body);

  it('answers what the queue shows', async () => {
    const steps: [string, object, string][] = [
      ['drain', {}, 'draining'],
      ['pause', { scope: 'landing', reason: 'lunch' }, 'paused'],
      ['freeze', {}, 'frozen'],
      ['unfreeze', {}, 'paused'],
      ['resume', {}, 'running'],
    ];
    for (const [action, body, wanted] of steps) {
      const reply = await post(action, body);
      const shown = { base: 'main', state: wanted };
      expect([action, reply.status, reply.json, await state()]).toMatchObject([action, 200, shown, wanted]);
    }
  });

  it('is refused for a base branch that the repository does not have', async () => {
    for (const action of ['pause', 'drain', 'freeze', 'resume', 'unfreeze']) {
      const reply = await post(action, { base: 'release' });
      const faults = [{ field: 'base', value: 'release' }];
      expect([action, reply.json]).toMatchObject([action, { status: 422, code: 'not-acceptable', faults }]);
    }
    expect((await api.call('GET', '/api/repos/web/merge-queue?base=release')).status).toBe(422);
    expect((await post('freeze', { base: 'main' })).json).toMatchObject({ base: 'main', state: 'frozen' });
    expect((await post('unfreeze', { base: 'main' })).json).toMatchObject({ base: 'main', state: 'running' });
  });

  it('of another scope stays', async () => {
    await post('freeze', { scope: 'all' });
    expect((await post('unfreeze', { scope: 'landing' })).json).toMatchObject({ state: 'frozen' });
    expect((await post('unfreeze', { scope: 'all' })).json).toMatchObject({ state: 'running' });
    await post('pause', { scope: 'landing' });
    expect((await post('resume', { scope: 'all' })).json).toMatchObject({ state: 'paused' });
    expect((await post('resume')).json).toMatchObject({ state: 'running' });
  });

  it('shows a block, and behind a pause the pause', async () => {
    const block = { code: 'base-red' as const, reason: 'unit is red', clearedBy: null, baseOid: null, since: 'x' };
    const view = { repo: 'web', base: 'main', state: 'blocked' as const, reason: null, block, entries: [] };
    await transaction(api.database.pool, (tx) => mirrorQueue(tx, { view, runId: 'r', seq: 1 }));
    expect((await post('resume')).json).toMatchObject({ state: 'blocked' });
    expect((await post('pause', { reason: 'lunch' })).json).toMatchObject({ state: 'paused' });
    expect((await api.call('GET', '/api/repos/web/merge-queue')).json).toMatchObject({
      state: 'paused',
      reason: 'lunch',
    });
    await post('resume');
  });

  it('says when an entry lands, counted from the moment of asking', async () => {
    const entry = { entry: 'e1', task: 'web/ET-001', phase: 'checking', head: 'h', priority: 'normal', fix: false };
    const startedAt = new Date(Date.now() - 540_000).toISOString();
    const view: QueueView = {
      ...{ repo: 'web', base: 'main', state: 'running', reason: null, block: null },
      pace: { durations: [590_000, 600_000, 610_000], startedAt },
      entries: [{ ...entry, phase: 'checking', priority: 'normal', position: 1, since: startedAt, detail: null }],
    };
    await transaction(api.database.pool, (tx) => mirrorQueue(tx, { view, runId: 'r', seq: 2 }));
    const first = async () =>
      ((await api.call('GET', '/api/repos/web/merge-queue')).json as { entries: { etaSeconds: number }[] }).entries[0];
    const eta = (await first())?.etaSeconds ?? 0;
    expect(eta).toBeGreaterThan(40);
    expect(eta).toBeLessThanOrEqual(60);
    await post('pause');
    expect(await first()).toMatchObject({ etaSeconds: null, etaLowSeconds: null, etaHighSeconds: null });
    await post('resume');
  });

  it('of a scope that nothing heeds yet is refused', async () => {
    for (const action of ['pause', 'drain', 'freeze']) {
      const reply = await post(action, { scope: 'admission' });
      expect(reply.json).toMatchObject({ status: 422, code: 'not-available', faults: [{ field: 'scope' }] });
    }
    expect(await state()).toBe('running');
  });
});

describe('a withdraw', () => {
  const request: EnqueueRequest = {
    ...{
      repo: 'web',
      base: 'main',
      task: 'web/ET-001',
      workItem: 'ET-001',
      generation: 1,
      head: 'b'.repeat(40),
      try: 1,
    },
    ...{ entry: 'e'.repeat(32), workflowId: 'task/web/ET-001', title: 'T', priority: 'normal' },
    enqueuedAt: '2026-01-01T00:00:00Z',
  };
  const url = `/api/repos/web/merge-queue/entries/${request.entry}`;

  it('is a conflict when the queue is not running', async () => {
    await insertEntry(api.database.pool, request);
    expect((await api.call('DELETE', url)).json).toMatchObject({ status: 409, code: 'conflict' });
  });

  it('is put off when Temporal is away', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1' });
    const app = await createServer({ ...api.deps, temporal: new Client({ connection }) });
    const reply = await app.inject({ method: 'DELETE', url, headers: { authorization: `Bearer ${api.token}` } });
    expect([reply.statusCode, reply.json<{ code: string }>().code]).toEqual([503, 'unavailable']);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    await app.close();
    await connection.close();
  });

  it('is given leave to land while base is frozen, and another place, while it waits', async () => {
    await insertEntry(api.database.pool, request);
    const change = (body: unknown) => api.call('PATCH', url, body);
    expect((await change({ priority: 'soon' })).json).toMatchObject({ status: 400 });
    // Nobody serves the queue here: it is in the row and in the outbox, and what begins the queue brings it along.
    expect(await change({ fix: true })).toMatchObject({ status: 200, json: { fix: true, priority: 'normal' } });
    expect(await change({ priority: 'urgent' })).toMatchObject({
      status: 200,
      json: { fix: true, priority: 'urgent' },
    });
    const edit = { version: 2, priority: 'urgent', fix: true };
    expect(await getEntry(api.database.pool, request.entry)).toMatchObject({ edit });
    const told = (await openOutbox(api.database.pool)).filter((row) => row.key.startsWith(`entry:${request.entry}:`));
    expect(told).toHaveLength(2);
    const nothing = await change({});
    expect(nothing.json).toMatchObject({ status: 400, code: 'invalid-request' });
    expect(nothing.text).toContain('priority or fix');
    await settleEntry(api.database.pool, request.entry, { kind: 'contained' });
    expect((await change({ fix: false })).json).toMatchObject({ status: 409, detail: 'the entry has left the queue' });
  });
});
