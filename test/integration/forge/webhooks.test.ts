/** Deliveries of forges: by whom they are believed, and that each is taken in once. */
import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HookSource } from '../../../domain/webhooks.js';
import { noteWait } from '../../../store/external-waits.js';
import { getHook } from '../../../store/hooks.js';
import { startApi, type Reply, type TestApi } from '../../support/api.js';

const SHA = 'c'.repeat(40);
const [OLD, NEW] = ['first-secret', 'second-secret'];
const SIGNING = `whsec_${Buffer.from('a signing key').toString('base64')}`;

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  expect((await api.call('POST', '/api/repos', { id: 'web', remote: await api.newRemote('web') })).status).toBe(201);
  for (const [context, workflowId] of [
    ['build', 'check/web/t/a'],
    ['lint', 'check/web/t/b'],
  ] as const) {
    await noteWait(api.database.pool, { workflowId, context, repo: 'web', sha: SHA, workItem: 'ET-001' }, 60_000);
  }
});
afterAll(() => api.close());
beforeEach(() => api.database.pool.query('TRUNCATE outbox'));

const hmac = (secret: string, text: string): string => createHmac('sha256', secret).update(text).digest('hex');
const woken = async (): Promise<string[]> => {
  const { rows } = await api.database.pool.query<{ payload: { workflowId: string; sha: string } }>(
    `SELECT payload FROM outbox WHERE kind = 'check-news' ORDER BY payload->>'workflowId'`,
  );
  for (const { payload } of rows) expect(payload.sha).toBe(SHA);
  return rows.map(({ payload }) => payload.workflowId.slice(-1));
};

interface Sender {
  source: HookSource;
  payload: object;
  headers: (body: string, secret: string, id: string) => Record<string, string>;
  /** Which checks it wakes. */
  wakes: string[];
}

const repository = { full_name: 'Acme/Web' };
const hub = (event: string) => (body: string, secret: string, id: string) => ({
  ...{ 'x-github-event': event, 'x-github-delivery': id, 'x-hub-signature-256': `sha256=${hmac(secret, body)}` },
});
const gitea = (name: string) => (body: string, secret: string, id: string) => ({
  ...{ [`x-${name}-event`]: 'status', [`x-${name}-delivery`]: id, [`x-${name}-signature`]: hmac(secret, body) },
});
const project = { path_with_namespace: 'acme/web' };
const token = (_body: string, secret: string, id: string) => ({
  ...{ 'x-gitlab-event': 'Job Hook', 'x-gitlab-token': secret, 'idempotency-key': id },
});

const SENDERS: Record<string, Sender> = {
  'github status': {
    ...{ source: 'github', payload: { sha: SHA, context: 'build', state: 'success', repository }, wakes: ['a'] },
    headers: hub('status'),
  },
  'github check_run': {
    ...{ source: 'github', payload: { check_run: { head_sha: SHA, name: 'lint' }, repository }, wakes: ['b'] },
    headers: hub('check_run'),
  },
  'gitea status': {
    ...{ source: 'gitea', payload: { sha: SHA, context: 'build', repository }, wakes: ['a'], headers: gitea('gitea') },
  },
  'forgejo status': {
    ...{ source: 'gitea', payload: { sha: SHA, context: 'lint', repository }, wakes: ['b'], headers: gitea('forgejo') },
  },
  'gitlab job': {
    ...{ source: 'gitlab', payload: { object_kind: 'build', sha: SHA, build_name: 'build', project }, wakes: ['a'] },
    headers: token,
  },
  'gitlab pipeline': {
    ...{ source: 'gitlab', payload: { object_kind: 'pipeline', object_attributes: { sha: SHA }, project } },
    ...{ wakes: ['a', 'b'], headers: token },
  },
};

const put = (id: string, source: HookSource, secrets: string[]): Promise<Reply> =>
  api.call('PUT', `/api/hooks/${id}`, { source, secrets, projects: { 'acme/web': 'web' } });
const deliver = (path: string, body: string, headers: Record<string, string>): Promise<Reply> =>
  api.call('POST', `/webhooks/${path}`, body, { token: null, headers });

describe.each(Object.entries(SENDERS))('%s', (name, { source, payload, headers, wakes }) => {
  const hook = name.replaceAll(/[ _]/g, '-');
  const body = JSON.stringify(payload);

  it('is taken in once, by either secret, and wakes who waits for that commit', async () => {
    expect((await put(hook, source, [OLD, NEW])).status).toBe(201);
    const id = randomUUID();
    const first = await deliver(`${source}/${hook}`, body, headers(body, OLD, id));
    expect([first.status, first.json]).toEqual([202, { accepted: true, wakes: wakes.length }]);
    const again = await deliver(`${source}/${hook}`, body, headers(body, NEW, id));
    expect([again.status, again.json]).toEqual([200, { accepted: true, duplicate: true }]);
    expect(await woken()).toEqual(wakes);
    expect((await put(hook, source, [NEW])).status).toBe(200);
    expect((await deliver(`${source}/${hook}`, body, headers(body, OLD, randomUUID()))).status).toBe(401);
  });

  it('is not believed unsigned, changed, by another hook or another rule', async () => {
    await put(hook, source, [OLD]);
    const good = headers(body, OLD, randomUUID());
    const other = source === 'gitlab' ? 'github' : 'gitlab';
    const tries: [path: string, text: string, headers: Record<string, string>][] = [
      [`${source}/${hook}`, body, {}],
      [`${source}/${hook}`, body, headers(body, 'guessed', randomUUID())],
      [`${source}/${hook}`, body, { 'x-gitlab-token': source === 'gitlab' ? 'guessed' : OLD }],
      [`${source}/${hook}-none`, body, good],
      [`${other}/${hook}`, body, { ...good, 'x-gitlab-token': OLD }],
      ...(source === 'gitlab'
        ? []
        : [[`${source}/${hook}`, body.replace(SHA, 'd'.repeat(40)), good] as [string, string, Record<string, string>]]),
    ];
    for (const [path, text, sent] of tries) {
      const reply = await deliver(path, text, sent);
      expect([path, reply.status, reply.text.includes(OLD)]).toEqual([path, 401, false]);
    }
    expect(await woken()).toEqual([]);
  });
});

it('takes GitLab’s signing token by time and content, and then no plain token', async () => {
  await put('signed', 'gitlab', [SIGNING]);
  const body = JSON.stringify(SENDERS['gitlab job']?.payload);
  const sign = (at: number, id: string): Record<string, string> => {
    const time = String(Math.floor(at / 1000));
    const made = createHmac('sha256', 'a signing key').update(`${id}.${time}.${body}`).digest('base64');
    return { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,other v1,${made}` };
  };
  const id = randomUUID();
  expect((await deliver('gitlab/signed', body, sign(Date.now(), id))).status).toBe(202);
  expect((await deliver('gitlab/signed', body, sign(Date.now(), id))).status).toBe(200);
  expect((await deliver('gitlab/signed', body, sign(Date.now() - 301_000, randomUUID()))).status).toBe(401);
  expect((await deliver('gitlab/signed', body, { ...sign(Date.now(), 'x'), 'webhook-id': 'y' })).status).toBe(401);
  expect((await deliver('gitlab/signed', body, { 'x-gitlab-token': SIGNING })).status).toBe(401);
});

it('tells what it cannot use from what is wrong, and equal content without an id from another', async () => {
  await put('odd', 'github', [OLD]);
  const send = (payload: unknown, event = 'status', more: Record<string, string> = {}): Promise<Reply> => {
    const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const signed = { 'x-github-event': event, 'x-hub-signature-256': `sha256=${hmac(OLD, body)}` };
    return deliver('github/odd', body, { ...signed, ...more });
  };
  expect(await send({ zen: 'Keep it logically awesome.' }, 'ping')).toMatchObject({
    status: 202,
    json: { ignored: expect.stringMatching(/ping/) as string },
  });
  const news = { sha: SHA, context: 'build', repository };
  expect((await send(news)).status).toBe(202);
  expect((await send(news)).status).toBe(200);
  expect((await send({ ...news, state: 'failure' })).status).toBe(202);
  const wrong: [unknown, RegExp][] = [
    ['not json', /not JSON/],
    [`${'['.repeat(40)}${']'.repeat(40)}`, /deep/],
    [[], /must be an object/],
    [{ ...news, sha: 'main' }, /sha: must be a full commit id/],
    [{ ...news, context: 7 }, /context: must be text/],
    [{ sha: SHA, context: 'build' }, /repository.full_name/],
    [{ ...news, repository: { full_name: 'acme/other' } }, /project: is not a project .* acme\/web/],
  ];
  for (const [payload, message] of wrong) {
    const reply = await send(payload);
    expect([reply.status, reply.text]).toEqual([422, expect.stringMatching(message)]);
  }
  expect((await send({ ...news, pad: 'x'.repeat(5 * 1024 * 1024) })).status).toBe(413);
  const large = await send({ ...news, pad: 'x'.repeat(1024 * 1024) });
  expect(large.status, 'larger than other bodies may be').toBe(202);
  expect((await deliver('plane/odd', '{}', {})).status).toBe(422);
});

it('is replaced and removed only by who may know every repository it delivers to', async () => {
  expect((await api.call('POST', '/api/repos', { id: 'app', remote: await api.newRemote('app') })).status).toBe(201);
  const of = (projects: object) => ({ source: 'github', secrets: [NEW], projects });
  const both = of({ 'acme/web': 'web', 'acme/app': 'app' });
  expect((await api.call('PUT', '/api/hooks/both', both)).status).toBe(201);
  const before = await getHook(api.database.pool, 'both');
  const token = await api.newToken(['admin'], ['web']);
  for (const projects of [{}, { 'acme/web': 'web' }]) {
    expect((await api.call('PUT', '/api/hooks/both', of(projects), { token })).status).toBe(403);
  }
  expect((await api.call('DELETE', '/api/hooks/both', undefined, { token })).status).toBe(403);
  expect(await getHook(api.database.pool, 'both')).toEqual(before);
  expect((await api.call('PUT', '/api/hooks/own', of({ 'acme/web': 'web' }), { token })).status).toBe(201);
  expect((await api.call('PUT', '/api/hooks/own', of({ 'acme/web': 'web' }), { token })).status).toBe(200);
});

it('never shows a secret, and refuses what it does not have', async () => {
  await put('quiet', 'gitea', [OLD, NEW]);
  const texts = [
    await api.call('GET', '/api/hooks'),
    await put('quiet', 'gitea', [NEW]),
    await api.call('GET', '/api/audit'),
  ];
  for (const reply of texts) expect([reply.text.includes(OLD), reply.text.includes(NEW)]).toEqual([false, false]);
  const hook = (more: object): Promise<Reply> =>
    api.call('PUT', '/api/hooks/x', { source: 'github', secrets: ['a-secret-of-mine'], ...more });
  const refused: [object, number, string][] = [
    [{ source: 'linear' }, 422, 'source'],
    [{ states: { Done: 'approve' } }, 422, 'states'],
    [{ projects: { 'acme/web': 'absent' } }, 422, 'projects.acme/web'],
    [{ projects: { web: 'web' } }, 400, 'projects.web'],
    [{ secrets: [] }, 400, 'secrets'],
    [{ secrets: ['a b'] }, 400, 'secrets[0]'],
    [{ secrets: ['1', '2', '3'] }, 400, 'secrets'],
  ];
  for (const [more, status, field] of refused) {
    const reply = await hook(more);
    expect([reply.status, reply.text]).toEqual([status, expect.stringContaining(`"field":"${field}"`)]);
    expect(reply.text).not.toContain('a-secret');
  }
  expect((await api.call('DELETE', '/api/hooks/quiet')).json).toMatchObject({ id: 'quiet', secretCount: 1 });
  expect((await api.call('DELETE', '/api/hooks/quiet')).status).toBe(404);
});
