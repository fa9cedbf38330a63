import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHistory } from '../../../activities/git/audit.js';
import { previewLanding } from '../../../activities/git/preview.js';
import { createLandings, type Landings } from '../../../activities/git/landing.js';
import type { EnqueueRequest, LandingPlan, Strategy } from '../../../domain/merge-queue/types.js';
import { commitAll, git, makeWorld, write, type World } from '../../support/git.js';

let world: World;
let landings: Landings;
let parent: string;
let child: string;

/** The parent writes the same lines in two commits, and the child goes on with them in one. */
beforeEach(() => {
  world = makeWorld();
  landings = createLandings(world.host('one'), world.records);
  const first = world.head('ET-1', { 'src/a.txt': 'a\nparent\n' }, { message: 'Begin the parent' });
  parent = world.head('ET-1', { 'src/a.txt': 'a\nparent, better\n' }, { from: first, message: 'End the parent' });
  child = world.head('ET-2', { 'src/a.txt': 'a\nparent, better\nchild\n' }, { from: parent, message: 'Add the child' });
});
afterEach(() => world.cleanUp());

const stacked = (): EnqueueRequest => ({ ...world.request('ET-2', child), stackBase: parent });

async function land(request: EnqueueRequest, strategy: Strategy): Promise<LandingPlan> {
  world.repo.config.merge.strategy = strategy;
  const prepared = await landings.prepareLanding(request, null);
  if (prepared.kind !== 'planned') throw new Error(JSON.stringify(prepared));
  const { plan } = prepared;
  const result = await landings.publishLanding(plan, { kind: 'none', tree: plan.tree });
  if (result.kind !== 'landed') throw new Error(JSON.stringify(result));
  world.records.landings.push(result.landing);
  return plan;
}

const subjects = (range: string): string[] => git(world.remote, 'log', '--reverse', '--format=%s', range).split('\n');

describe('a branch that was cut from the work of another task', () => {
  it.each(['rebase-ff', 'auto', 'squash'] as const)(
    'lands what is its own after a squash of that, by %s',
    async (by) => {
      const before = await land(world.request('ET-1', parent), 'squash');
      // By itself it would bring the commits of the other once more, over what they became.
      expect(await landings.prepareLanding(world.request('ET-2', child), null)).toMatchObject({ kind: 'conflict' });
      world.repo.config.merge.strategy = by;
      const preview = await previewLanding(world.host('two'), world.repo, {
        workItem: 'ET-2',
        head: child,
        stackBase: parent,
      });
      expect(preview).toMatchObject({ kind: 'clean', strategy: by === 'squash' ? 'squash' : 'rebase-ff' });
      const plan = await land(stacked(), by);
      expect(preview.tree).toBe(plan.tree);
      expect(subjects(`${before.commit}..main`)).toEqual([by === 'squash' ? 'Title of ET-2' : 'Add the child']);
      expect(git(world.remote, 'show', 'main:src/a.txt')).toBe('a\nparent, better\nchild');
      expect(git(world.remote, 'log', '-1', '--format=%(trailers:key=Signalbox-Stack,valueonly)', 'main')).toBe(parent);
      const history = await readHistory(world.host('two'), world.repo, { base: 'main', since: null, asked: [] });
      expect(history.again).toEqual({ [before.commit]: { kind: 'same' }, [plan.commit]: { kind: 'same' } });
      world.records.landings = [];
      expect(await landings.prepareLanding(stacked(), null)).toMatchObject({ kind: 'landed' });
    },
  );

  it('lands without that where it was given up, and only what is its own', async () => {
    child = world.head('ET-2', { 'src/c.txt': 'child\n' }, { from: parent, message: 'Add the child' });
    await land(stacked(), 'auto');
    expect(subjects('main')).toEqual(['First', 'Add the child']);
    expect(git(world.remote, 'show', 'main:src/a.txt')).toBe('a');
  });

  it('is squashed by auto where it took base in, and refused by rebase-ff and merge, with advice', async () => {
    await land(world.request('ET-1', parent), 'squash');
    git(world.person, 'fetch', '-q', 'origin', 'main');
    git(world.person, 'checkout', '-q', '--detach', child);
    git(world.person, 'merge', '-q', '--no-ff', '-X', 'ours', '-m', 'Merge base', 'FETCH_HEAD');
    write(world.person, { 'src/d.txt': 'd\n' });
    child = commitAll(world.person, 'Add d');
    git(world.person, 'push', '-q', '-f', 'origin', 'HEAD:refs/signalbox/heads/ET-2');
    for (const [strategy, advice] of [
      ['rebase-ff', 'cannot replay merges'],
      ['merge', 'rebase the branch on base'],
    ] as const) {
      world.repo.config.merge.strategy = strategy;
      const reason = expect.stringContaining(advice) as unknown;
      expect(await landings.prepareLanding(stacked(), null)).toMatchObject({ kind: 'refused', reason });
    }
    expect((await land(stacked(), 'auto')).strategy).toBe('squash');
    expect(git(world.remote, 'show', 'main:src/a.txt')).toBe('a\nparent, better\nchild');
  });

  it('is a branch like any other where base has the work as it is, or the branch has it no more', async () => {
    await land(world.request('ET-1', parent), 'merge');
    expect((await land(stacked(), 'merge')).stackBase).toBeUndefined();
    const elsewhere = world.head('ET-3', { 'src/e.txt': 'e\n' });
    const plan = await land({ ...world.request('ET-3', elsewhere), stackBase: parent }, 'auto');
    expect(plan.stackBase).toBeUndefined();
  });

  it('has landed already where it adds nothing', async () => {
    const request = { ...world.request('ET-2', parent), stackBase: parent };
    git(world.person, 'push', '-q', '-f', 'origin', `${parent}:refs/signalbox/heads/ET-2`);
    for (const strategy of ['auto', 'squash'] as const) {
      world.repo.config.merge.strategy = strategy;
      expect(await landings.prepareLanding(request, null)).toMatchObject({ kind: 'contained' });
    }
  });
});
