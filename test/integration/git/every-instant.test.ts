/**
 * What a death leaves at each instant of a landing, and how it goes on from there; one test for each, on real git.
 * Those that other files prove are named there by the same words: `plan recorded, check not finished` and `verdict
 * known, not recorded` in ../merge-queue/merge-queue.test.ts, `someone else advanced base`, `base rewound or forced`
 * and `landed then reverted, then redelivered` in landing.test.ts, `the history is gone` in ../api/rebuild.test.ts.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLandings, type Landings } from '../../../activities/git/landing.js';
import type { LandingPlan } from '../../../domain/merge-queue/types.js';
import { git, makeWorld, type World } from '../../support/git.js';
import { startVictim } from '../../support/git-kills.js';
import { serveGit } from '../../support/git-server.js';
import { SyscallKills } from '../../support/syscall-kills.js';
import { cannotTrace, WrappedGit, type Point } from '../../support/wrapped-git.js';

let world: World;
let one: Landings;
let two: Landings;
beforeEach(() => {
  world = makeWorld();
  one = createLandings(world.host('one'), world.records);
  two = createLandings(world.host('two'), world.records);
});
afterEach(() => world.cleanUp());

const refs = (): string => git(world.remote, 'for-each-ref');

async function planned(on: Landings, workItem: string, head = world.head(workItem, { x: `${workItem}\n` })) {
  const result = await on.prepareLanding(world.request(workItem, head), null);
  if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
  return result.plan;
}

const publish = (on: Landings, plan: LandingPlan) => on.publishLanding(plan, { kind: 'none', tree: plan.tree });

/** How often the entry is on base. */
const times = ({ entry }: LandingPlan): number =>
  git(world.remote, 'log', '--format=%H', `--grep=Signalbox-Entry: ${entry.entry}`, 'main').split('\n').filter(Boolean)
    .length;

it('after merge-tree and commit-tree, before it is recorded: the same ids come out again, on any host', async () => {
  const head = world.head('ET-1', { x: 'x\n' });
  const before = refs();
  const lost = await planned(one, 'ET-1', head);
  expect(await planned(one, 'ET-1', head)).toEqual(lost);
  expect(await planned(two, 'ET-1', head)).toEqual(lost);
  expect(refs()).toBe(before);
});

it('landed, the worker dies before the result of its activity: asked again it pushes nothing', async () => {
  const wrapped = new WrappedGit(world.root);
  const host = createLandings(world.host('three', { env: { PATH: wrapped.path } }), world.records);
  const plan = await planned(host, 'ET-1');
  expect(await publish(host, plan)).toMatchObject({ kind: 'landed' });
  const before = refs();
  wrapped.watch();
  expect(await publish(host, plan)).toMatchObject({ kind: 'landed', landing: { commit: plan.commit } });
  wrapped.off();
  expect(wrapped.processes()).toContain('ls-remote.1');
  expect(wrapped.processes().filter((name) => name.startsWith('push'))).toEqual([]);
  expect(refs()).toBe(before);
});

describe('the activity timed out, its process is alive', () => {
  it('on one host: the lock of the gate holds the next one off, until the last child is gone', async () => {
    const wrapped = new WrappedGit(world.root);
    const env = { PATH: wrapped.path };
    const old = createLandings(world.host('one', { env }), world.records);
    const next = createLandings(world.host('one', { env, lockWaitMs: 300 }), world.records);
    const plan = await planned(old, 'ET-1');
    wrapped.pauseAt('push.1');
    const zombie = await startVictim(world, { mode: 'publish', plan, path: wrapped.path }, 'ready');
    const wake = await wrapped.paused();
    zombie.kill('SIGKILL');
    await expect(publish(next, plan)).rejects.toMatchObject({ code: 'gate-busy' });
    expect(world.base()).toBe(plan.baseOid);
    wake();
    await expect.poll(() => world.base(), { timeout: 10_000 }).toBe(plan.commit);
    await expect
      .poll(() => publish(next, plan).catch(() => null), { timeout: 10_000 })
      .toMatchObject({ kind: 'landed' });
    expect(times(plan)).toBe(1);
  });

  it('on another host: the fence rejects its push as a whole, and the next one lands', async () => {
    const wrapped = new WrappedGit(world.root);
    const slow = createLandings(world.host('slow', { env: { PATH: wrapped.path } }), world.records);
    const plan = await planned(slow, 'ET-1');
    wrapped.pauseAt('push.1');
    const zombie = publish(slow, plan);
    const wake = await wrapped.paused();
    expect(await two.fenceLanding('web', 'main', plan)).toMatchObject({ kind: 'not-landed' });
    const between = refs();
    wake();
    expect(await zombie).toMatchObject({ kind: 'stale' });
    expect(refs()).toBe(between);
    const again = await planned(two, 'ET-1', plan.entry.head);
    expect(await publish(two, again)).toMatchObject({ kind: 'landed' });
    expect(times(plan)).toBe(1);
  });
});

it('a remote push, the connection is lost after the server applied it: read back, it landed, and lands no second time', async () => {
  git(world.remote, 'config', 'http.receivepack', 'true');
  const server = await serveGit(world.root, 'x-access-token', 'word');
  try {
    world.repo.remote = server.url('remote.git');
    world.repo.config.auth = { kind: 'token', ref: 'env:TOKEN' };
    world.repo.facts.local = false;
    const far = createLandings(world.host('far', { env: { TOKEN: 'word' } }), world.records);
    const plan = await planned(far, 'ET-1');
    server.cutAfter('git-receive-pack');
    expect(await publish(far, plan)).toMatchObject({ kind: 'landed', landing: { commit: plan.commit } });
    expect(server.cuts()).toBe(1);
    expect(await publish(far, plan)).toMatchObject({ kind: 'landed' });
    expect([world.base(), world.tip(), times(plan)]).toEqual([plan.commit, plan.commit, 1]);
  } finally {
    await server.close();
  }
});

it('power loss took objects of the gate: it is made anew, and the landing goes on', async () => {
  const plan = await planned(one, 'ET-1');
  const gate = path.join(world.root, 'host-one/gates/web.git');
  const objects = path.join(gate, 'objects');
  for (const place of readdirSync(objects)) rmSync(path.join(objects, place), { recursive: true });
  // The first try may be the one that finds the damage.
  const tries = [() => publish(one, plan).catch(() => null), () => publish(one, plan)];
  const results = [];
  for (const attempt of tries) results.push(await attempt());
  expect(results.at(-1)).toMatchObject({ kind: 'landed' });
  expect(times(plan)).toBe(1);
});

const untraceable = cannotTrace();
describe.skipIf(untraceable !== null)(
  `inside the receiving repository${untraceable === null ? '' : ` (${untraceable})`}`,
  () => {
    let kills: SyscallKills;
    beforeEach(() => {
      kills = new SyscallKills(world);
    });

    /** The rename that makes the new value of a ref of the remote count. */
    function renameOf(points: Point[], ref: string): Point {
      const renames = points.filter(({ process, text }) => process === 'receive-pack.1' && text.startsWith('rename('));
      const place = renames.findIndex(({ text }) => text.includes(`/${ref}.lock"`));
      const found = renames[place];
      if (found === undefined) throw new Error(`no rename of ${ref}.lock was seen`);
      return { ...found, call: place + 1, only: 'rename' };
    }
    const lockOf = (ref: string): string => path.join(world.remote, `${ref}.lock`);

    it('the lock is made, the ref not renamed: the stale lock goes, and the same plan lands', async () => {
      const point = renameOf(await kills.points(), 'refs/heads/main');
      const plan = await kills.plan();
      await kills.kill(plan, point, 'all');
      expect(readFileSync(lockOf('refs/heads/main'), 'utf8').trim()).toBe(plan.commit);
      expect(world.base()).toBe(plan.baseOid);
      await kills.recover(plan);
    });

    it('the reflog is written, the ref not renamed: what the reflog says counts for nothing', async () => {
      git(world.remote, 'config', 'core.logAllRefUpdates', 'always');
      const point = renameOf(await kills.points(), 'refs/heads/main');
      const plan = await kills.plan();
      await kills.kill(plan, point, 'all');
      expect(readFileSync(path.join(world.remote, 'logs/refs/heads/main'), 'utf8')).toContain(plan.commit);
      expect(world.base()).toBe(plan.baseOid);
      await kills.recover(plan);
    });

    it('the base ref is renamed, the tip ref not: it landed, and the tip is brought up', async () => {
      const point = renameOf(await kills.points(), 'refs/signalbox/tip/main');
      const plan = await kills.plan();
      await kills.kill(plan, point, 'all');
      expect(world.base()).toBe(plan.commit);
      expect(world.tip()).toBe(plan.lastTip);
      await kills.recover(plan);
      expect(times(plan)).toBe(1);
    });

    it.each(['refs/signalbox/tip/', 'refs/tags/signalbox/tip/'] as const)(
      'the other order, tip new and base old, cannot be: base is renamed before %s',
      async (prefix) => {
        git(world.remote, 'update-ref', `${prefix}main`, 'main');
        world.repo.facts.tipPrefix = prefix;
        const points = await kills.points();
        const [base, tip] = [renameOf(points, 'refs/heads/main'), renameOf(points, `${prefix}main`)];
        expect(base.process).toBe(tip.process);
        expect(base.call).toBeLessThan(tip.call);
      },
    );
  },
);
