/** Two at once: publishers, people, hosts. Who is late is made to wait where it hurts most. */
import { spawn } from 'node:child_process';
import { existsSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLandings, type Landings } from '../../../activities/git/landing.js';
import type { LandingPlan } from '../../../domain/merge-queue/types.js';
import { git, makeWorld, type World } from '../../support/git.js';
import { ended } from '../../support/git-kills.js';
import { WrappedGit } from '../../support/wrapped-git.js';

let world: World;
let wrapped: WrappedGit;
/** Its git can be paused. */
let slow: Landings;
let quick: Landings;
beforeEach(() => {
  world = makeWorld();
  wrapped = new WrappedGit(world.root);
  slow = createLandings(world.host('slow', { env: { PATH: wrapped.path } }), world.records);
  quick = createLandings(world.host('quick'), world.records);
});
afterEach(() => world.cleanUp());

async function planned(on: Landings, workItem: string, head?: string): Promise<LandingPlan> {
  const at = head ?? world.head(workItem, { [`src/${workItem}.txt`]: `${workItem}\n` });
  const result = await on.prepareLanding(world.request(workItem, at), null);
  if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
  return result.plan;
}

const publish = (on: Landings, plan: LandingPlan) => on.publishLanding(plan, { kind: 'none', tree: plan.tree });
const times = ({ entry }: LandingPlan): number =>
  git(world.remote, 'log', '--format=%H', `--grep=Signalbox-Entry: ${entry.entry}`, 'main').split('\n').filter(Boolean)
    .length;

describe('a publisher that was paused after it had prepared', () => {
  it('finds the same plan landed by another gate, and says so', async () => {
    const plan = await planned(slow, 'ET-1');
    expect(await publish(quick, plan)).toMatchObject({ kind: 'landed' });
    expect(await publish(slow, plan)).toMatchObject({ kind: 'landed', landing: { commit: plan.commit } });
    expect(times(plan)).toBe(1);
  });

  it('finds another plan of its entry landed, and says so instead of landing it twice', async () => {
    const plan = await planned(slow, 'ET-1');
    world.personPush({ 'src/b.txt': 'bb\n' });
    const later = await planned(quick, 'ET-1', plan.entry.head);
    expect(later.commit).not.toBe(plan.commit);
    expect(await publish(quick, later)).toMatchObject({ kind: 'landed' });
    expect(await publish(slow, plan)).toMatchObject({ kind: 'landed', landing: { commit: later.commit } });
    expect(times(plan)).toBe(1);
  });

  it('in the middle of its push, does not overtake a landing of another gate', async () => {
    const plan = await planned(slow, 'ET-1');
    // The remote has its commands and takes its objects in.
    wrapped.pauseAt('unpack-objects.1');
    const late = publish(slow, plan);
    const wake = await wrapped.paused();
    const other = await planned(quick, 'ET-2');
    expect(await publish(quick, other)).toMatchObject({ kind: 'landed' });
    wake();
    expect(await late).toMatchObject({ kind: 'stale' });
    expect([world.base(), times(plan), times(other)]).toEqual([other.commit, 0, 1]);
  });
});

describe('base is rewound', () => {
  const first = async (): Promise<LandingPlan> => {
    const plan = await planned(quick, 'ET-1');
    const result = await publish(quick, plan);
    if (result.kind !== 'landed') throw new Error(JSON.stringify(result));
    world.records.landings.push(result.landing);
    return plan;
  };

  it.each(['push.1', 'unpack-objects.1'])('during the push, at %s: nothing lands on what is gone', async (process) => {
    const lost = await first();
    const plan = await planned(slow, 'ET-2');
    wrapped.pauseAt(process);
    const late = publish(slow, plan);
    const wake = await wrapped.paused();
    world.setBase(lost.baseOid);
    wake();
    expect(await late).toMatchObject({ kind: 'stale' });
    expect(world.base()).toBe(lost.baseOid);
    expect(await quick.fenceLanding('web', 'main', plan)).toMatchObject({ kind: 'not-landed' });
    const again = await quick.prepareLanding(world.request('ET-2', plan.entry.head), null);
    expect(again).toMatchObject({ kind: 'blocked', block: { code: 'base-rewound' } });
    expect(world.base()).toBe(lost.baseOid);
  });

  it('between the push and the read-back: the landing is gone, is said to be, and is not put back', async () => {
    await first();
    const plan = await planned(slow, 'ET-2');
    wrapped.pauseAt('ls-remote.2');
    const late = publish(slow, plan);
    const wake = await wrapped.paused();
    expect(world.base()).toBe(plan.commit);
    world.setBase(plan.baseOid);
    wake();
    expect(await late).toMatchObject({ kind: 'blocked', block: { code: 'base-rewound' } });
    expect(world.base()).toBe(plan.baseOid);
  });
});

it('a lock that is alive is never removed: another git holds it in a path remote, so blocked, named and kept', async () => {
  const plan = await planned(quick, 'ET-1');
  const person = world.head('ET-9', { 'src/person.txt': 'p\n' });
  const lock = path.join(world.remote, 'refs/heads/main.lock');
  // A person's git in the middle of its transaction.
  const holder = spawn('git', ['update-ref', '--stdin'], { cwd: world.remote, stdio: ['pipe', 'ignore', 'inherit'] });
  holder.stdin.write(`start\nupdate refs/heads/main ${person}\nprepare\n`);
  await expect.poll(() => existsSync(lock), { timeout: 10_000 }).toBe(true);
  utimesSync(lock, 0, 0);
  expect(await publish(quick, plan)).toMatchObject({
    kind: 'blocked',
    block: { code: 'foreign-lock', reason: expect.stringContaining(lock) as string },
  });
  expect(await quick.fenceLanding('web', 'main', plan)).toMatchObject({ block: { code: 'foreign-lock' } });
  expect(existsSync(lock)).toBe(true);
  holder.stdin.end('commit\n');
  await ended(holder);
  expect(world.base()).toBe(person);
  expect(await publish(quick, plan)).toMatchObject({ kind: 'stale' });
});

describe('a cancel', () => {
  it('before the push stops it: nothing is pushed', async () => {
    const cancelled = createLandings(world.host('quick'), world.records, () => {
      throw new Error('cancelled');
    });
    const plan = await planned(quick, 'ET-1');
    await expect(publish(cancelled, plan)).rejects.toThrow('cancelled');
    expect([world.base(), world.tip()]).toEqual([plan.baseOid, plan.lastTip]);
  });

  it('while it pushes does not break it off: either it landed, or the fence keeps it from ever landing', async () => {
    for (const process of ['push.1', 'ls-remote.2']) {
      const plan = await planned(slow, `ET-${process}`);
      let cancelled = false;
      const host = world.host('slow', { env: { PATH: wrapped.path } });
      const cancellable = createLandings(host, world.records, () => {
        if (cancelled) throw new Error('cancelled');
      });
      wrapped.pauseAt(process);
      const late = publish(cancellable, plan);
      const wake = await wrapped.paused();
      cancelled = true;
      const pushed = process === 'ls-remote.2';
      expect(await quick.fenceLanding('web', 'main', plan)).toMatchObject({ kind: pushed ? 'landed' : 'not-landed' });
      wake();
      expect(await late).toMatchObject({ kind: pushed ? 'landed' : 'stale' });
      expect(times(plan)).toBe(pushed ? 1 : 0);
    }
  });
});
