/** Decisions of people through the API: real workflows, with scripted agents, started by the real outbox. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TaskMirror } from '../../../domain/tasks.js';
import { transaction } from '../../../store/db.js';
import { recordDecision } from '../../../store/decisions.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import { startOutbox, type Outbox } from '../../../worker/outbox.js';
import { taskWorkflowId } from '../../../workflows/ids.js';
import { status } from '../../../workflows/messages.js';
import { startApi, type Reply, type TestApi } from '../../support/api.js';
import { silentLog } from '../../support/deps.js';
import { eventually } from '../../support/net.js';
import { passed, quiet, serve, TaskWorld } from '../../support/task-world.js';

interface Shown {
  task: string;
  workItem: string;
  state: string;
  stage: string;
  generation: number;
  waitingOn: { kind: string; code: string | null; artifact: { sha: string } | null } | null;
  decision?: { stage: string; sha: string; verdict: string; by: string; at: string };
}

let api: TestApi;
let outbox: Outbox;
let world: TaskWorld;
let repo: string;
let stopWorker: (() => Promise<void>) | null = null;

beforeAll(async () => {
  quiet();
  api = await startApi({ SIGNALBOX_BACKOFF_BASE: '100ms', SIGNALBOX_BACKOFF_MAX: '200ms' });
  const { pool, url: databaseUrl } = api.database;
  const { client, queuePrefix } = api.temporal;
  repo = queuePrefix;
  world = new TaskWorld();
  world.records.mirrorTask = async (mirror: TaskMirror) => {
    await transaction(pool, (tx) => mirrorTask(tx, mirror));
  };
  world.records.recordDecision = (r, workItem, generation, decision, intent, mirror) =>
    transaction(pool, async (tx) => {
      const stored = await recordDecision(tx, { repo: r, workItem, generation }, decision, intent);
      await mirrorTask(tx, mirror);
      return stored.decision;
    });
  outbox = await startOutbox({ pool, databaseUrl, client, settings: api.deps.settings, queuePrefix, log: silentLog });
  await api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
  expect((await api.call('POST', '/api/repos', { id: repo, remote: await api.newRemote('web') })).status).toBe(201);
  stopWorker = await serve(api.temporal.address, queuePrefix, world);
});
afterAll(async () => {
  await outbox.stop();
  await stopWorker?.();
  await api.close();
});

const shown = (reply: Reply): Shown => reply.json as Shown;
const submit = async (): Promise<string> => {
  const reply = await api.call('POST', '/api/tasks', { repo, title: 'Say hello' });
  expect(reply.status).toBe(201);
  return `/api/tasks/${repo}/${shown(reply).workItem}`;
};
const until = (url: string, kind: string | null): Promise<Shown> =>
  eventually(
    async () => {
      const task = shown(await api.call('GET', url));
      return (task.waitingOn?.kind ?? null) === kind ? task : null;
    },
    { what: `${url} to wait for ${String(kind)}` },
  );
const waiting = async (url: string): Promise<{ stage: string; sha: string }> => {
  const task = await until(url, 'approval');
  return { stage: task.stage, sha: task.waitingOn?.artifact?.sha ?? '' };
};

it('approves what waits, once and for ever', async () => {
  const url = await submit();
  const due = await waiting(url);
  const explained = (await api.call('GET', `${url}/explain`)).json as { chain: { kind: string }[]; stale: boolean };
  expect(explained).toMatchObject({ stale: false, chain: [{ kind: 'approval' }] });
  for (const wrong of [
    { ...due, sha: 'b'.repeat(40) },
    { ...due, stage: 'review' },
  ]) {
    const reply = await api.call('POST', `${url}/approve`, wrong);
    expect(reply.json).toMatchObject({ status: 409, code: 'stale-decision', current: due });
  }
  const both = await Promise.all([
    api.call('POST', `${url}/approve`, due),
    api.call('POST', `${url}/reject`, { ...due, reason: 'no' }),
  ]);
  expect(both.map((reply) => reply.status)).toEqual([200, 200]);
  const [first, second] = both.map((reply) => shown(reply).decision);
  expect(first).toEqual(second);
  expect(first).toMatchObject({ ...due, by: 'test' });
  // From the row, whoever asks and whenever.
  const again = await api.call('POST', `${url}/approve`, due, { token: await api.newToken(['decisions:write']) });
  expect([again.status, shown(again).decision]).toEqual([200, first]);
  if (first?.verdict === 'approved')
    await eventually(async () => (shown(await api.call('GET', url)).state === 'done' ? 1 : null));
  else await api.call('POST', `${url}/cancel`, { reason: 'over' });
});

it('sends the work back with a reason, or cancels for good', async () => {
  const url = await submit();
  const due = await waiting(url);
  const rejected = await api.call('POST', `${url}/reject`, { ...due, reason: 'say it louder' });
  expect(shown(rejected).decision).toMatchObject({ verdict: 'rejected' });
  const next = await eventually(async () => {
    const now = await waiting(url);
    return now.sha === due.sha ? null : now;
  });
  expect(JSON.stringify(world.runs.at(-1)?.feedback)).toContain('say it louder');
  const ended = await api.call('POST', `${url}/reject`, { ...next, final: true });
  expect(ended.status).toBe(200);
  await eventually(async () => (shown(await api.call('GET', url)).state === 'cancelled' ? 1 : null));
  const late = await api.call('POST', `${url}/answer`, { text: 'too late' });
  expect(late.json).toMatchObject({ status: 409, code: 'conflict' });
  expect((await api.call('POST', `${url}/cancel`, {})).status).toBe(200);
});

it('answers a question, and begins a closed task anew', async () => {
  world.script = (input) =>
    input.feedback.some((f) => f.kind === 'answer')
      ? passed
      : { kind: 'needs-human', question: 'Which colour?', summary: null };
  const url = await submit();
  const asked = await until(url, 'answer');
  expect(asked.waitingOn?.code).toBe('question');
  expect((await api.call('POST', `${url}/approve`, { stage: 'approval', sha: 'a'.repeat(40) })).status).toBe(409);
  const answered = await api.call('POST', `${url}/answer`, { text: 'Blue' });
  expect(answered.status).toBe(200);
  world.script = () => passed;
  await until(url, 'approval');
  const cancelled = await api.call('POST', `${url}/cancel`, { reason: 'again' });
  expect(cancelled.status).toBe(200);
  await eventually(async () => (shown(await api.call('GET', url)).state === 'cancelled' ? 1 : null));
  const redo = await api.call('POST', `${url}/redo`, { stage: 'analysis', prompt: 'from here' });
  expect(shown(redo)).toMatchObject({ state: 'queued', generation: 2 });
  const twice = await Promise.all([api.call('POST', `${url}/retry`, {}), api.call('POST', `${url}/retry`, {})]);
  expect(twice.every((reply) => reply.status === 409)).toBe(true);
});

it('takes no 3 MB update, no unknown one and no signal of another shape, and the workflow lives', async () => {
  const url = await submit();
  const due = await waiting(url);
  const handle = api.temporal.client.workflow.getHandle(taskWorkflowId(repo, url.split('/').at(-1) ?? ''));
  const big = 'x'.repeat(3 * 1024 * 1024);
  for (const [name, ...args] of [
    ['approve', { ...due, reason: big }],
    ['answer', { text: 7 }],
    ['approve', 'not an object'],
    ['approve'],
    ['unheard', {}],
  ] as [string, ...unknown[]][]) {
    await expect(handle.executeUpdate(name, { args: args as [unknown] })).rejects.toThrow();
  }
  await expect(handle.signal('mergeSettled', { id: 'x', outcome: big })).rejects.toThrow();
  for (const name of ['unheard', 'changed', 'runGranted', 'hostChanged', 'checkSettled', 'mergeSettled']) {
    for (const argument of [undefined, null, 'words', {}, { id: 'x', outcome: { kind: 'landed' }, verdict: {} }]) {
      await handle.signal(name, ...(argument === undefined ? [] : [argument]));
    }
  }
  await expect(handle.query('unheard')).rejects.toThrow();
  expect((await handle.query(status)).stage).toBe(due.stage);
  expect((await api.call('POST', `${url}/answer`, { text: big })).status).toBe(413);
  expect((await api.call('POST', `${url}/cancel`, {})).status).toBe(200);
});

it('says 503 when no worker takes the decision, and the update stays dead', async () => {
  const url = await submit();
  const due = await waiting(url);
  await stopWorker?.();
  stopWorker = null;
  const [explained, refused] = await Promise.all([
    api.call('GET', `${url}/explain`),
    api.call('POST', `${url}/approve`, due),
  ]);
  expect(explained.json).toMatchObject({ stale: true, chain: [{ kind: 'approval' }, { kind: 'host' }].slice(0, 1) });
  expect(refused.json).toMatchObject({ status: 503, code: 'no-worker' });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  const { items } = (await api.call('GET', '/api/audit?limit=1')).json as { items: object[] };
  expect(items).toMatchObject([{ action: 'task.approve', result: 'refused: no-worker' }]);
  stopWorker = await serve(api.temporal.address, api.temporal.queuePrefix, world);
  // The worker is back, and has seen whatever was left over: nobody approved.
  const handle = api.temporal.client.workflow.getHandle(taskWorkflowId(repo, url.split('/').at(-1) ?? ''));
  expect((await handle.query(status)).waitingOn?.kind).toBe('approval');
  const approved = await api.call('POST', `${url}/approve`, due);
  expect(shown(approved).decision?.verdict).toBe('approved');
});
