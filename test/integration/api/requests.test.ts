/**
 * Requests that are wrong in what no schema knows, and again by hand in what it does: refused by name, and nothing is
 * stored. Every field of every route is in every-field.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../../domain/errors.js';
import { startApi, type TestApi } from '../../support/api.js';
import { stored as storedIn } from '../../support/stored.js';

let api: TestApi;
let remote: string;

beforeAll(async () => {
  api = await startApi();
  remote = await api.newRemote('web');
  const check = { name: 'unit', kind: 'command', command: ['true'] };
  await api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
  const added = await api.call('POST', '/api/repos', { id: 'web', remote, checks: [check] });
  expect(added.status).toBe(201);
  expect((await api.call('POST', '/api/tasks', { repo: 'web', title: 'One' })).status).toBe(201);
});
afterAll(() => api.close());

const stored = (): Promise<string> => storedIn(api.database.pool);

const SHA = 'a'.repeat(40);
const stage = (more: object): object => ({ stages: [{ name: 'work', kind: 'agent', agent: 'default', ...more }] });

type Case = [field: string, value: unknown, status?: 400 | 422, code?: string];
interface Request {
  method: string;
  url: string;
  body: () => Record<string, unknown>;
  cases: Case[];
}

const later = (field: string, value: unknown): Case => [field, value, 422, 'not-available'];

const REQUESTS: Request[] = [
  {
    method: 'POST',
    url: '/api/repos',
    body: () => ({ id: 'new', remote, base: 'main' }),
    cases: [
      ...['', 'Web', '../x', '-x', 'a b', 'x'.repeat(65), 'a/b', 7, null].map((id): Case => ['id', id]),
      ['remote', 7],
      ['remote', ''],
      ['remote', 'a\nb'],
      ...['ext::sh -c touch% p', '-oProxyCommand=x', 'ssh://-x/y', 'https://u:p@h/x', 'file://host/etc'].map(
        (text): Case => (text.startsWith('-') || !text.includes(' ') ? ['remote', text, 422] : ['remote', text, 422]),
      ),
      ['remote', '/nowhere/at/all.git', 422, 'unreachable-remote'],
      ['remote', '/etc', 422],
      ...['-x', '--upload-pack=touch p', '$(id)', 'a;id', 'a..b', 'x.lock', 'HEAD', '@', 'refs/heads/main', 'a\nb'].map(
        (base): Case => ['base', base],
      ),
      ['base', 'absent', 422, 'unreachable-remote'],
      ['base', 7],
      ['workItemPrefix', 'et'],
      ['workItemPrefix', 7],
      ['auth', 'none'],
      ['auth.kind', 'password'],
      ['auth.ref', 'literal-secret'],
      ['auth.other', 1],
      ['merge', []],
      ['merge.strategy', 'fast'],
      ['checkout', 'always'],
      ['checkout', 'update', 422],
      ['setup', 'npm ci'],
      ['setup.command', 'npm ci'],
      ['setup.command', []],
      ['checks', {}],
      ['checks[0].name', ''],
      ['checks[0].name', 7],
      ['checks[0].kind', 'manual'],
      ['checks[0].context', 'build'],
      ...['ftp://forge.test', 'forge.test', 'https://a b', ''].map((api): Case => ['forge.api', api]),
      ['forge.api', 'http://forge.test', 422],
      ['forge.api', 'https://user:pass@forge.test', 422],
      ['forge.kind', 'bitbucket'],
      ['forge.project', 'web'],
      ['forge.project', 'a/b/c', 422],
      ['forge.project', '../web'],
      ['forge.other', 1],
      ['checks[0].command', 'npm test'],
      ['checks[0].command', ['a\u0000b']],
      ['checks[0].command', undefined],
      ['checks[0].timeout', '20'],
      ['checks[0].timeout', '-5m'],
      ['checks[0].timeout', '1000d'],
      ['checks[0].timeout', 20],
      ['checks[0].env', ['A=1']],
      ['checks[0].env.A', 7],
      ['checks[0].needsHistory', 'yes'],
      ['checks[0].other', 1],
      ['pipeline', 'default'],
      ['pipeline', { stages: [{ name: 'a', kind: 'dance' }] }, 422],
      ['pipeline', stage({ surprise: 1 })],
      ['pipeline', stage({ onFail: { goto: 'later', max: 1 } }), 422],
      ['pipeline', { stages: [{ name: 'c', kind: 'check', checks: ['absent'] }] }, 422],
      later('pipeline', { stages: [{ name: 'd', kind: 'deploy', environment: 'x', command: ['y'] }] }),
      later('limits.activeTasks', 3),
      later('limits.waitingForPeople', 3),
      ['limits.other', 3],
      ['takeOver', 'yes'],
      later('settings', { MAX_ATTEMPTS: '3' }),
      ['unheard', 1],
    ],
  },
  {
    method: 'PATCH',
    url: '/api/repos/web',
    body: () => ({}),
    cases: [
      ['id', 'other'],
      ['remote', '/other'],
      ['auth.kind', 'password'],
      ['merge.strategy', 'fast'],
      ['checks[0].command', 'x'],
      ['pipeline', { stages: [] }, 422],
      later('limits.activeTasks', 1),
    ],
  },
  {
    method: 'PUT',
    url: '/api/agent-profiles/coder',
    body: () => ({ adapter: 'command', command: ['node', 'agent.mjs'] }),
    cases: [
      ['adapter', 'bash'],
      later('adapter', 'claude'),
      ['command', 'node agent.mjs'],
      ['command', []],
      ['command', undefined],
      ['env', 'A=1'],
      ['env.A', 1],
      ['model', '--dangerously-skip-permissions'],
      ['effort', '--x'],
      ['limits', '2h'],
      ['limits.wall', '2'],
      ['limits.stall', '-1m'],
      ['limits.outputBytes', -1],
      ['limits.outputBytes', '1'],
      later('limits.usd', 5),
      ['sandbox', 'jail'],
      later('sandbox', 'bwrap'),
      later('image', 'node:20'),
      ['unheard', 1],
    ],
  },
  {
    method: 'POST',
    url: '/api/tasks',
    body: () => ({ repo: 'web', title: 'Two' }),
    cases: [
      ['repo', 'absent', 422],
      ['repo', 7],
      ['repo', undefined],
      ['title', undefined],
      ...['', '   ', 'a\u0000b', 'a\nb', 'x'.repeat(501), 7].map((title): Case => ['title', title]),
      ['description', 7],
      ['description', 'a\u0000b'],
      ['source', 7],
      ['source', 'plane', 422],
      ['externalId', 'x', 422],
      ...[0, -1, 1.5, '12', 1e9].map((number): Case => ['number', number]),
      ...['-x', '--upload-pack=touch p', '$(id)', '`id`', 'a;id', 'a\nb', 'refs/heads/main', 'HEAD', '@', 'main'].map(
        (branch): Case => ['branch', branch],
      ),
      ...['a..b', 'x.lock', 'b'.repeat(300), 'a\u202eb', 'a\u200bb', 'e\u0301', ''].map((branch): Case => [
        'branch',
        branch,
      ]),
      ...['web', 'web/ET-1/x', 'web/et-001', '../ET-001', 7].map((task): Case => ['dependsOn', [task]]),
      ['dependsOn', 'web/ET-001'],
      ['dependsOn', [{ task: 'web/ET-001', onFailure: 'never' }]],
      ['dependsOn', [{ task: 'web/ET-001', stack: 'yes' }]],
      ['dependsOn', [{ onFailure: 'wait' }]],
      ['dependsOn', ['web/ET-404'], 422],
      ['dependsOn', ['web/ET-001', { task: 'web/ET-001' }], 422],
      ['dependsOn', [{ task: 'api/ET-001', stack: true }], 422],
      ['priority', 'asap'],
      ['priority', 1],
      later('notBefore', '2030-01-01T00:00:00Z'),
      ['pipeline', []],
      ['pipeline', stage({ commits: 'maybe' }), 422],
      ['maxAttempts', 0],
      ['maxAttempts', '2'],
      later('budgetUsd', 1),
      ['unheard', 1],
    ],
  },
  {
    method: 'PATCH',
    url: '/api/tasks/web/ET-001',
    body: () => ({}),
    cases: [
      ['title', ''],
      ['description', 7],
      ['priority', 'asap'],
      later('dependsOn', ['web/ET-003']),
      ['branch', 'x'],
    ],
  },
  ...['approve', 'reject'].map((action): Request => ({
    method: 'POST',
    url: `/api/tasks/web/ET-001/${action}`,
    body: () => ({ stage: 'approval', sha: SHA }),
    cases: [
      ['stage', undefined],
      ['stage', 7],
      ['stage', '../x'],
      ['sha', undefined],
      ['sha', 'abc'],
      ['sha', SHA.toUpperCase()],
      ['reason', 7],
      ['final', 'yes'],
      ['unheard', 1],
    ],
  })),
  {
    method: 'POST',
    url: '/api/tasks/web/ET-001/answer',
    body: () => ({ text: 'yes' }),
    cases: [
      ['text', undefined],
      ['text', ''],
      ['text', 7],
      ['text', 'a\u0000'],
      ['unheard', 1],
    ],
  },
  {
    method: 'POST',
    url: '/api/tasks/web/ET-001/cancel',
    body: () => ({}),
    cases: [
      ['reason', 7],
      ['unheard', 1],
    ],
  },
  { method: 'POST', url: '/api/tasks/web/ET-001/retry', body: () => ({}), cases: [['unheard', 1]] },
  {
    method: 'POST',
    url: '/api/tasks/web/ET-001/redo',
    body: () => ({ stage: 'development' }),
    cases: [
      ['stage', undefined],
      ['stage', 'absent', 422],
      ['agent', '--x'],
      ['model', '--dangerously-skip-permissions'],
      ['effort', '-x'],
      ['prompt', 7],
      ['unheard', 1],
    ],
  },
  {
    method: 'POST',
    url: '/api/tokens',
    body: () => ({ name: 'ci', scopes: ['tasks:read'] }),
    cases: [
      ['name', ''],
      ['name', undefined],
      ['scopes', undefined],
      ['scopes', []],
      ['scopes', 'admin'],
      ['scopes[0]', 'root'],
      ['repos', 'web'],
      ['repos[0]', '../x'],
      ['expiresAt', 'tomorrow'],
      ['expiresAt', '2001-01-01T00:00:00Z'],
      ['expiresAt', '2030-13-45T00:00:00Z'],
      ['unheard', 1],
    ],
  },
  { method: 'POST', url: '/api/tickets', body: () => ({}), cases: [['unheard', 1]] },
  ...['pause', 'drain', 'freeze', 'resume', 'unfreeze'].map((action): Request => ({
    method: 'POST',
    url: `/api/repos/web/${action}`,
    body: () => ({}),
    cases: [
      ['reason', 7],
      ['scope', 'some'],
      ['base', 7],
      ['unheard', 1],
    ],
  })),
  {
    method: 'POST',
    url: '/api/repos/web/resume',
    body: () => ({}),
    cases: [
      ['acceptTip', 'abc'],
      ['acceptTip', 7],
    ],
  },
  {
    method: 'POST',
    url: '/api/repos/web/unfreeze',
    body: () => ({}),
    cases: [
      ['id', 'x'],
      ['id', 0],
    ],
  },
  {
    method: 'POST',
    url: '/api/serial-gate/unfreeze',
    body: () => ({ repo: 'web' }),
    cases: [
      ['repo', undefined],
      ['repo', 'absent', 422],
      ['repo', 7],
      ['unheard', 1],
    ],
  },
  {
    method: 'PATCH',
    url: `/api/repos/web/merge-queue/entries/${'a'.repeat(32)}`,
    body: () => ({}),
    cases: [
      ['priority', 'soon'],
      ['priority', 1],
      ['fix', 'yes'],
      ['unheard', 1],
    ],
  },
];

/** Sets `checks[0].name` in a body, making what is missing on the way (a check that would pass otherwise). */
function set(body: Record<string, unknown>, field: string, value: unknown): void {
  const keys = field.replace(/\[(\d+)\]/g, '.$1').split('.');
  let at: Record<string, unknown> = body;
  keys.slice(0, -1).forEach((key, i) => {
    const list = /^\d+$/.test(keys[i + 1] ?? '');
    const fresh = key === '0' && keys[0] === 'checks' ? { name: 'lint', command: ['true'] } : list ? [] : {};
    const known: Record<string, object> = {
      auth: { kind: 'token' },
      setup: { command: ['true'] },
      forge: { kind: 'github', project: 'acme/web' },
    };
    at[key] ??= known[key] ?? fresh;
    at = at[key] as Record<string, unknown>;
  });
  at[keys.at(-1) ?? ''] = value;
}

const shown = (value: unknown): string => (value === undefined ? 'absent' : JSON.stringify(value).slice(0, 60));

describe.each(REQUESTS)('$method $url', ({ method, url, body, cases }) => {
  it.each(cases.map(([field, value, ...more]) => [field, shown(value), value, ...more] as const))(
    'refuses %s = %s',
    async (field, _shown, value, status = 400, code) => {
      const before = await stored();
      const wrong = body();
      set(wrong, field, value);
      const reply = await api.call(method, url, wrong);
      expect([reply.status, reply.text]).toEqual([status, reply.text]);
      expect(reply.headers['content-type']).toContain('application/problem+json');
      const problem = reply.json as { code: string; detail: string; status: number; faults?: Fault[] };
      expect(problem.status).toBe(status);
      if (code !== undefined) expect(problem.code).toBe(code);
      const named = [problem.detail, ...(problem.faults ?? []).map((fault) => fault.field)].join(' ');
      expect(named).toContain(field);
      expect(await stored()).toBe(before);
    },
  );
});

it.each([
  ['[]', 'an array'],
  ['null', 'null'],
  ['"x"', 'a text'],
  ['{', 'half an object'],
  ['{"repo":"web","title":"x","__proto__":{"a":1}}', 'a prototype'],
  ['{"repo":"web","title":"x","constructor":{"prototype":{}}}', 'a constructor'],
])('refuses the body %s', async (body) => {
  const before = await stored();
  expect((await api.call('POST', '/api/tasks', body)).status).toBe(400);
  expect(await stored()).toBe(before);
});

it.each([
  '/api/tasks?limit=0',
  '/api/tasks?limit=x',
  '/api/tasks?state=gone',
  '/api/tasks?repo=../x',
  "/api/tasks?repo=web'%20OR%201=1",
  '/api/tasks?stage=a%20b',
  '/api/tasks?cursor=%00',
  '/api/tasks?cursor=eyJhIjoxfQ',
  '/api/tasks?unheard=1',
  "/api/tasks/web/ET-001'%20OR%20'1'='1",
  '/api/tasks/web/..%2F..%2Fetc',
  '/api/tasks/web/ET-001/diff?against=everything',
  '/api/tasks/web/ET-001/artifacts/analysis?sha=HEAD',
  '/api/queue?limit=-1',
  '/api/audit?cursor=zz',
])('refuses GET %s', async (url) => {
  expect((await api.call('GET', url)).status).toBe(400);
});

it.each([
  ['/api/tasks/web/ET-999', 404],
  ['/api/tasks/absent/ET-001', 404],
  ['/api/repos/absent', 404],
  ['/api/runs/absent', 404],
  ['/api/jobs', 404],
  ['/api/tasks/web/ET-001/artifacts/absent', 404],
] as const)('answers GET %s with %d', async (url, status) => {
  expect((await api.call('GET', url)).status).toBe(status);
});
