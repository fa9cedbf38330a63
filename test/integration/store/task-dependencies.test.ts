import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Dependency } from '../../../domain/pipeline/dependencies.js';
import { execute, transaction } from '../../../store/db.js';
import { openOutbox } from '../../../store/outbox.js';
import { deleteRepo, insertRepo } from '../../../store/repos.js';
import { dependenciesNow, liveDependents, openEdges } from '../../../store/task-dependencies.js';
import { createTask } from '../../../store/task-intake.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import { failTask, getTask, listTasks, type Task } from '../../../store/tasks.js';
import type { TaskMirror } from '../../../domain/tasks.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { sampleMirror, sampleRepo, sampleTask } from '../../support/samples.js';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());
beforeEach(async () => {
  await execute(db.pool, 'TRUNCATE repos, tasks, task_dependencies, outbox, events, used_numbers, repo_gate CASCADE');
  await insertRepo(db.pool, sampleRepo());
  await insertRepo(db.pool, sampleRepo({ id: 'api' }));
});

const on = (workItem: string, more: Partial<Dependency> = {}): Dependency => ({
  ...{ repo: 'web', workItem, onFailure: 'wait', stack: false },
  ...more,
});
const create = async (over: Parameters<typeof sampleTask>[0] = {}): Promise<Task> =>
  (await createTask(db.pool, sampleTask(over))).task;
const mirror = (over: Partial<TaskMirror>): Promise<boolean> =>
  transaction(db.pool, (tx) => mirrorTask(tx, sampleMirror(over)));
const told = async (): Promise<string[]> =>
  (await openOutbox(db.pool)).map((row) => row.key).filter((key) => key.startsWith('moved:'));

test('edges come with the task, and nothing is accepted that names a task which is not there', async () => {
  await create();
  const second = await create({ repo: 'api', dependsOn: [on('ET-001', { onFailure: 'cancel' })] });
  expect((await getTask(db.pool, 'api', 'ET-001'))?.dependsOn).toEqual(second.dependsOn);
  await expect(create({ dependsOn: [on('ET-001'), on('ET-404')] })).rejects.toMatchObject({
    code: 'not-acceptable',
    data: { faults: [{ field: 'dependsOn[1]', value: 'web/ET-404' }] },
  });
  await expect(create({ number: 7, dependsOn: [on('ET-007')] })).rejects.toMatchObject({
    code: 'not-acceptable',
    data: { faults: [{ field: 'dependsOn[0]', value: 'web/ET-007', message: 'would be this task itself' }] },
  });
  expect((await listTasks(db.pool)).items).toHaveLength(2);
  expect(await openEdges(db.pool, null)).toEqual([['api/ET-001', 'web/ET-001']]);
  // Who may not see both ends does not see the edge.
  expect(await openEdges(db.pool, ['web'])).toEqual([]);
});

test('what comes after is told of an end and of the merge queue, and of nothing else', async () => {
  await create();
  await mirror({ seq: 1, state: 'done' });
  expect(await told(), 'nobody comes after it').toEqual([]);
  await create();
  await create({ dependsOn: [on('ET-002', { stack: true })] });
  const moves = (more: Partial<TaskMirror>): Promise<boolean> => mirror({ workItem: 'ET-002', ...more });
  await moves({ seq: 2, stage: 'review' });
  expect(await told()).toEqual([]);
  const waitingOn = { kind: 'merge-queue', since: 'x', until: null, detail: 'd', code: null } as const;
  const queued = { ...waitingOn, artifact: null, unblockedBy: [], links: {} };
  await moves({ seq: 3, stage: 'merge', head: 'a'.repeat(40), waitingOn: queued });
  expect(await told()).toEqual(['moved:web/ET-002:run-1.3']);
  expect(await dependenciesNow(db.pool, 'web', 'ET-003')).toEqual([
    { ...on('ET-002', { stack: true }), state: 'running', stage: 'merge', ready: 'a'.repeat(40) },
  ]);
  await transaction(db.pool, (tx) => failTask(tx, { repo: 'web', workItem: 'ET-002', generation: 1 }, 'killed'));
  expect(await told()).toEqual(['moved:web/ET-002:run-1.3', 'moved:web/ET-002:failed.g1']);
  expect(await dependenciesNow(db.pool, 'web', 'ET-003')).toMatchObject([{ state: 'failed', ready: null }]);
});

test('what was deleted with its repository counts as failed, and who is over is told no more', async () => {
  await create({ repo: 'api' });
  await create({ dependsOn: [on('ET-001', { repo: 'api' })] });
  expect(await liveDependents(db.pool, 'api', 'ET-001')).toEqual([{ repo: 'web', workItem: 'ET-001' }]);
  await mirror({ repo: 'api', state: 'done' });
  await deleteRepo(db.pool, 'api');
  expect(await dependenciesNow(db.pool, 'web', 'ET-001')).toMatchObject([{ state: 'failed', stage: 'deleted' }]);
  await mirror({ state: 'cancelled' });
  expect(await liveDependents(db.pool, 'api', 'ET-001')).toEqual([]);
});
