import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { execute, query, transaction } from '../../../store/db.js';
import { readEvents } from '../../../store/events.js';
import { openOutbox } from '../../../store/outbox.js';
import { deleteRepo, insertRepo } from '../../../store/repos.js';
import { createTask, restartTask } from '../../../store/task-intake.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import { getTask, listTasks, patchTask, type Task } from '../../../store/tasks.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { sampleMirror, sampleRepo, sampleTask } from '../../support/samples.js';
import type { TaskMirror } from '../../../domain/tasks.js';

let db: TestDatabase;
const patch = (...[repo, workItem, words]: [string, string, { title: string }]) =>
  transaction(db.pool, (tx) => patchTask(tx, repo, workItem, words));

beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());
beforeEach(async () => {
  await execute(db.pool, 'TRUNCATE repos, tasks, outbox, events, used_numbers, repo_gate CASCADE');
  await insertRepo(db.pool, sampleRepo());
  await insertRepo(db.pool, sampleRepo({ id: 'api' }));
});

const create = async (over: Parameters<typeof sampleTask>[0] = {}): Promise<Task> =>
  (await createTask(db.pool, sampleTask(over))).task;
const mirror = (over: Partial<TaskMirror>): Promise<boolean> =>
  transaction(db.pool, (tx) => mirrorTask(tx, sampleMirror(over)));
const cancelled = async (): Promise<Task> => {
  const task = await create();
  await mirror({ state: 'cancelled', stage: 'created' });
  return task;
};

test('100 identical submissions at once are one task, one outbox row, one event', async () => {
  const same = sampleTask({ source: 'plane', externalId: 'abc' });
  const other = sampleTask({ ...same, repo: 'api' });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => createTask(db.pool, i % 2 ? same : other)));
  expect(answers.filter((a) => a.created)).toHaveLength(1);
  expect(new Set(answers.map((a) => `${a.task.repo}/${a.task.workItem}`)).size).toBe(1);
  expect((await listTasks(db.pool)).items).toHaveLength(1);
  expect(await openOutbox(db.pool)).toHaveLength(1);
  expect(await readEvents(db.pool, 0)).toHaveLength(1);
});

test('50 different submissions at once get 50 different numbers without a gap', async () => {
  const tasks = await Promise.all(Array.from({ length: 50 }, () => create()));
  expect(tasks.map((t) => t.number).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(tasks.every((t) => t.branch === `signalbox/${t.workItem}`)).toBe(true);
});

test('a number is the tracker’s own, walked forward over used ones; else one more than the highest', async () => {
  expect((await create({ number: 12 })).workItem).toBe('ET-012');
  expect((await create({ number: 13 })).workItem).toBe('ET-013');
  expect((await create({ number: 12 })).workItem).toBe('ET-014');
  expect((await create({ number: 3 })).workItem).toBe('ET-003');
  expect((await create()).workItem).toBe('ET-015');
  expect((await create({ number: 1234 })).workItem).toBe('ET-1234');
  expect((await create({ repo: 'api' })).workItem).toBe('ET-001');
});

test('prefixes do not mix, not even when one begins like another or differs in case', async () => {
  await create({ number: 41 });
  expect((await create({ prefix: 'ETX' })).workItem).toBe('ETX-001');
  expect((await create({ prefix: 'E' })).workItem).toBe('E-001');
  expect((await create()).workItem).toBe('ET-042');
});

test('no number is invented past the last one', async () => {
  await create({ number: 999_999_999 });
  await expect(create()).rejects.toMatchObject({ code: 'conflict' });
  expect((await create({ number: 5 })).workItem).toBe('ET-005');
});

test('two live tasks on one branch conflict; a task that is over frees it', async () => {
  const first = await create({ branch: 'feature' });
  await expect(create({ branch: 'feature' })).rejects.toMatchObject({ code: 'conflict' });
  expect((await listTasks(db.pool)).items).toHaveLength(1);
  expect(await openOutbox(db.pool)).toHaveLength(1);
  await mirror({ state: 'done', stage: 'done' });
  await create({ branch: 'feature' });
  await expect(
    restartTask(db.pool, { repo: 'web', workItem: first.workItem, generation: 1, startAt: null, by: null }),
  ).rejects.toMatchObject({ code: 'conflict' });
});

test('an older picture never wins, and a run that was followed never comes back', async () => {
  await create();
  expect(await mirror({ runId: 'a', seq: 2, stage: 'two' })).toBe(true);
  expect(await mirror({ runId: 'a', seq: 1, stage: 'one' })).toBe(false);
  expect(await mirror({ runId: 'a', seq: 2, stage: 'again' })).toBe(false);
  expect(await mirror({ runId: 'b', seq: 1, stage: 'three' })).toBe(true);
  expect(await mirror({ runId: 'a', seq: 99, stage: 'zombie' })).toBe(false);
  expect(await mirror({ runId: 'c', seq: 1, generation: 2, stage: 'future' })).toBe(false);
  expect((await getTask(db.pool, 'web', 'ET-001'))?.stage).toBe('three');
});

test('pictures that arrive in any order at once end with the newest', async () => {
  await create();
  const seqs = Array.from({ length: 40 }, (_, i) => i + 1).sort(() => Math.random() - 0.5);
  await Promise.all(seqs.map((seq) => mirror({ seq, stage: `s${seq}` })));
  expect((await getTask(db.pool, 'web', 'ET-001'))?.stage).toBe('s40');
});

test('updatedAt moves with the stage only, and events tell of changes only', async () => {
  const { updatedAt } = await create();
  await mirror({ seq: 1, stage: 'created', state: 'queued' });
  expect((await getTask(db.pool, 'web', 'ET-001'))?.updatedAt).toBe(updatedAt);
  await patch('web', 'ET-001', { title: 'New words' });
  expect((await getTask(db.pool, 'web', 'ET-001'))?.updatedAt).toBe(updatedAt);
  await mirror({ seq: 2, stage: 'development' });
  const moved = await getTask(db.pool, 'web', 'ET-001');
  expect(moved?.updatedAt).not.toBe(updatedAt);
  await mirror({ seq: 3, stage: 'development', head: 'b'.repeat(40) });
  expect((await getTask(db.pool, 'web', 'ET-001'))?.updatedAt).toBe(moved?.updatedAt);
  const events = await readEvents(db.pool, 0, { subject: 'web/ET-001' });
  expect(events.map((e) => [e.data.type, e.data.stage, e.data.waitingOn])).toEqual([
    ['created', 'created', 'start'],
    ['changed', 'created', null],
    ['changed', 'development', null],
  ]);
});

test('a restart is a compare-and-set: of many at once one wins, and old pictures no longer count', async () => {
  await cancelled();
  const restart = { repo: 'web', workItem: 'ET-001', generation: 1, startAt: null, by: 'me' };
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => restartTask(db.pool, restart)));
  expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
  expect(await getTask(db.pool, 'web', 'ET-001')).toMatchObject({ generation: 2, state: 'queued', stage: 'created' });
  expect(await mirror({ seq: 9, state: 'failed' })).toBe(false);
  expect(await mirror({ generation: 2, seq: 9, state: 'failed' })).toBe(false);
  expect(await mirror({ generation: 2, runId: 'run-2', seq: 1 })).toBe(true);
  expect((await openOutbox(db.pool)).map((r) => r.key)).toEqual(['start:web/ET-001:g1', 'start:web/ET-001:g2']);
  await expect(restartTask(db.pool, { ...restart, generation: 2 })).rejects.toMatchObject({ code: 'conflict' });
  await expect(restartTask(db.pool, { ...restart, workItem: 'ET-404' })).rejects.toMatchObject({ code: 'not-found' });
});

test('words of a task that is over stay', async () => {
  await cancelled();
  await expect(patch('web', 'ET-001', { title: 'x' })).rejects.toMatchObject({ code: 'conflict' });
  expect(await patch('web', 'ET-404', { title: 'x' })).toBeNull();
});

test('lists are paged newest first, each task once, and filtered', async () => {
  for (let i = 0; i < 7; i++) await create({ title: `t${i}` });
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof listTasks>> = await listTasks(db.pool, { limit: 3, cursor });
    seen.push(...page.items.map((t) => t.title));
    cursor = page.next;
  } while (cursor !== null);
  expect(seen).toEqual(['t6', 't5', 't4', 't3', 't2', 't1', 't0']);
  expect((await listTasks(db.pool, { branch: 'signalbox/ET-003' })).items).toHaveLength(1);
  expect((await listTasks(db.pool, { repo: 'api' })).items).toEqual([]);
  expect((await listTasks(db.pool, { repos: ['web'], state: 'queued', stage: 'created' })).items).toHaveLength(7);
  await expect(listTasks(db.pool, { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'invalid-request' });
});

test('a repository with live tasks stays; after its deletion no number is given out again', async () => {
  await create({ number: 7 });
  await expect(deleteRepo(db.pool, 'web')).rejects.toMatchObject({ code: 'conflict' });
  await mirror({ workItem: 'ET-007', state: 'done' });
  expect(await deleteRepo(db.pool, 'web')).toBe(true);
  expect(await deleteRepo(db.pool, 'web')).toBe(false);
  expect((await insertRepo(db.pool, sampleRepo())).created).toBe(true);
  expect((await create()).workItem).toBe('ET-008');
  expect((await create({ number: 2 })).workItem).toBe('ET-009');
});

test('one remote and base belong to one repository, also when two are added at once', async () => {
  const results = await Promise.allSettled([
    insertRepo(db.pool, sampleRepo({ id: 'one', remoteKey: 'k' })),
    insertRepo(db.pool, sampleRepo({ id: 'two', remoteKey: 'k' })),
  ]);
  expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
  expect((await insertRepo(db.pool, sampleRepo())).created).toBe(false);
});

test('whoever reads events up to an id has missed none below it', async () => {
  const seen: number[] = [];
  const reader = (async () => {
    while (seen.length < 60) seen.push(...(await readEvents(db.pool, seen.at(-1) ?? 0)).map((e) => e.id));
  })();
  await Promise.all(Array.from({ length: 60 }, (_, i) => create({ repo: i % 2 ? 'web' : 'api' })));
  await reader;
  const all = await query<{ id: number }>(db.pool, 'SELECT id FROM events ORDER BY id');
  expect(seen).toEqual(all.map((r) => r.id));
});
