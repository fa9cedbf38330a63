/** Rows about forges: which wish is tried again, which branch is ours to push on, which waits are shown and kept. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { showPullRequestBy } from '../../../activities/forge/index.js';
import { withGate } from '../../../activities/git/gate.js';
import { announceLanding, followHead, type ClaimBranch } from '../../../activities/git/head-branch.js';
import { gitHostFor } from '../../../activities/git/index.js';
import { hostPaths } from '../../../activities/paths.js';
import type { LandingPlan } from '../../../domain/merge-queue/types.js';
import { transaction, type Pool } from '../../../store/db.js';
import { dropWaits, forgetPastWaits, noteWait, waitsFor, waitsOfTask } from '../../../store/external-waits.js';
import { claimBranch, getPullRequest, wantPullRequest } from '../../../store/pull-requests.js';
import { insertRepo } from '../../../store/repos.js';
import { createTask } from '../../../store/task-intake.js';
import { mirrorTask } from '../../../store/task-mirror.js';
import { commitAll, git, makeWorld, write } from '../../support/git.js';
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

it('pushes over nothing on the branch of a pull request that it did not push there', async () => {
  const workItem = 'ET-007';
  const world = makeWorld({ strategy: 'pr' });
  const [host, ref] = [world.host('one'), `refs/heads/signalbox/${workItem}`];
  await transaction(pool, (tx) => wantPullRequest(tx, 'web', workItem));
  const claim: ClaimBranch = (...claimed) => claimBranch(pool, ...claimed);
  const announcing = { claim, recorded: () => Promise.resolve() };
  const follow = (head: string) => followHead(host, world.repo, { workItem, head, onlyMissing: false }, claim);
  const announce = async (commit: string): Promise<string> => {
    const plan = { entry: { workItem }, commit } as LandingPlan;
    await withGate(host, world.repo, (gate) => announceLanding(gate, plan, announcing));
    return world.remoteRef(ref);
  };
  const head = (text: string, from = 'main'): string => world.head(workItem, { 'a.txt': text }, { from });

  const first = head('1');
  expect([await follow(first), world.remoteRef(ref)]).toEqual([{ kind: 'there' }, first]);
  const second = head('2');
  expect([await follow(second), world.remoteRef(ref)]).toEqual([{ kind: 'there' }, second]);
  expect(await announce(first), 'as a landing that rewrites').toBe(first);
  expect([await follow(second), world.remoteRef(ref)]).toEqual([{ kind: 'there' }, second]);

  git(world.person, 'checkout', '-q', '--detach', second);
  write(world.person, { 'b.txt': 'by hand' });
  const foreign = commitAll(world.person, 'By hand');
  git(world.person, 'push', '-q', 'origin', `HEAD:${ref}`);
  const third = head('3');
  expect([await follow(third), world.remoteRef(ref)]).toEqual([{ kind: 'foreign', found: foreign }, foreign]);
  expect(await announce(third)).toBe(foreign);
  const onTop = head('4', foreign);
  expect([await follow(onTop), world.remoteRef(ref)]).toEqual([{ kind: 'there' }, onTop]);
  world.cleanUp();
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
