import { expect, onTestFinished, test } from 'vitest';
import { resolveTreeBy } from '../../../activities/records/resolve-tree.js';
import { git, makeWorld } from '../../support/git.js';

test('a head, a base commit and the base as it is now are read from the remote', async () => {
  const world = makeWorld();
  onTestFinished(() => world.cleanUp());
  const resolve = resolveTreeBy(world.host('h'));
  const treeOf = (commit: string): string => git(world.remote, 'rev-parse', `${commit}^{tree}`);
  const old = world.base();
  const head = world.head('ET-001', { 'src/a.txt': 'new\n' });
  const now = world.personPush({ 'src/b.txt': 'moved\n' });
  const { repo } = world;
  expect(await resolve(repo, { kind: 'head', workItem: 'ET-001', commit: head })).toEqual({
    commit: head,
    tree: treeOf(head),
  });
  expect(await resolve(repo, { kind: 'base', branch: 'main', commit: old })).toEqual({
    commit: old,
    tree: treeOf(old),
  });
  expect(await resolve(repo, { kind: 'base-now', branch: 'main' })).toEqual({ commit: now, tree: treeOf(now) });
  await expect(resolve(repo, { kind: 'base-now', branch: 'gone' })).rejects.toMatchObject({ code: 'not-found' });
});
