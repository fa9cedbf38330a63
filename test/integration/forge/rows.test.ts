/** Rows about forges: which wish for a pull request is tried again, and which waits are shown and kept. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { showPullRequestBy } from '../../../activities/forge/index.js';
import { gitHostFor } from '../../../activities/git/index.js';
import { hostPaths } from '../../../activities/paths.js';
import { transaction, type Pool } from '../../../store/db.js';
import { dropWaits, forgetPastWaits, noteWait, waitsFor, waitsOfTask } from '../../../store/external-waits.js';
import { getPullRequest, wantPullRequest } from '../../../store/pull-requests.js';
import { insertRepo } from '../../../store/repos.js';
import { createTask } from '../../../store/task-intake.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { sampleMirror, sampleRepo, sampleTask } from '../../support/samples.js';

let db: TestDatabase;
let pool: Pool;
let dir: string;
beforeAll(async () => {
  [db, dir] = await Promise.all([createTestDatabase(), mkdtemp(path.join(os.tmpdir(), 'signalbox-forge-'))]);
  pool = db.pool;
});
afterAll(() => Promise.all([db.drop(), rm(dir, { recursive: true, force: true })]));

it('tries only the newest of a task’s wishes again while the forge refuses', async () => {
  const { config } = sampleRepo();
  // Without a forge that it could ask, every try fails.
  await insertRepo(pool, sampleRepo({ config: { ...config, merge: { strategy: 'pr' } } }));
  const { workItem } = (await createTask(pool, sampleTask())).task;
  await transaction(pool, (tx) => mirrorTask(tx, sampleMirror({ workItem, head: 'a'.repeat(40) })));
  await transaction(pool, (tx) => wantPullRequest(tx, 'web', workItem));
  const newest = (await getPullRequest(pool, 'web', workItem))?.wanted ?? 0;
  expect(newest).toBeGreaterThan(1);
  const show = showPullRequestBy(gitHostFor({ paths: hostPaths(dir), lookup: () => undefined }), pool);
  for (let version = 1; version < newest; version += 1) await show({ repo: 'web', workItem, version });
  expect(await getPullRequest(pool, 'web', workItem)).toMatchObject({ shown: 0, error: null });
  await expect(show({ repo: 'web', workItem, version: newest })).rejects.toThrow(/forge/);
  const row = await getPullRequest(pool, 'web', workItem);
  expect(row).toMatchObject({ shown: 0, error: expect.stringContaining('forge') as string });
});

it('shows and keeps no wait whose time is over, unless its check goes on', async () => {
  const sha = 'c'.repeat(40);
  const wait = (workflowId: string) => ({ workflowId, context: 'build', repo: 'web', sha, workItem: 'ET-9' });
  const ids = async () => (await waitsOfTask(pool, 'web', 'ET-9')).map(({ workflowId }) => workflowId);
  const kept = async () => (await waitsFor(pool, 'web', { sha, context: null })).map(({ workflowId }) => workflowId);
  await noteWait(pool, wait('live'), 60_000);
  await noteWait(pool, wait('over'), -1);
  expect([await ids(), (await kept()).sort()]).toEqual([['live'], ['live', 'over']]);
  await forgetPastWaits(pool);
  expect(await kept()).toEqual(['live']);
  await noteWait(pool, wait('over'), 60_000);
  expect((await ids()).sort()).toEqual(['live', 'over']);
  await dropWaits(pool, 'live');
  expect(await kept()).toEqual(['over']);
});
