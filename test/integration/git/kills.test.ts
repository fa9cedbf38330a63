import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFlock } from '../../../activities/git/lock.js';
import { createLandings } from '../../../activities/git/landing.js';
import { mulberry } from '../../../bench/random.js';
import { makeWorld, type World } from '../../support/git.js';
import { ended, killAndRecover, killGroup, Moments, startVictim } from '../../support/git-kills.js';
import { SyscallKills } from '../../support/syscall-kills.js';
import { cannotTrace } from '../../support/wrapped-git.js';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.cleanUp());

describe('the lock of a gate', () => {
  it('outlives its killed owner as long as a git child of it lives', async () => {
    const lock = path.join(world.root, 'gate.flock');
    const owner = await startVictim(world, { mode: 'hold', lock }, 'held');
    // The child must be there before its parent is gone.
    await expect.poll(() => childrenOf(owner.pid ?? 0), { timeout: 10_000 }).toBeGreaterThan(0);
    owner.kill('SIGKILL');
    await ended(owner);
    const take = (): Promise<string> => withFlock(lock, 100, () => Promise.resolve('mine'));
    await expect(take()).rejects.toMatchObject({ code: 'gate-busy' });
    killGroup(owner);
    await expect.poll(() => take().catch(() => 'busy'), { timeout: 10_000 }).toBe('mine');
  });

  it('serialises callers of one process', async () => {
    const lock = path.join(world.root, 'gate.flock');
    let inside = 0;
    let most = 0;
    const turn = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 5 }, () => withFlock(lock, 5000, turn)));
    expect(most).toBe(1);
  });
});

describe('abandoned lock files', () => {
  it('of the gate and of a path remote are removed, young ones waited for', async () => {
    const landings = createLandings(world.host('one'), world.records);
    const prepared = await landings.prepareLanding(world.request('ET-1', world.head('ET-1', { x: 'x\n' })), null);
    if (prepared.kind !== 'planned') throw new Error(prepared.kind);
    for (const name of ['refs/heads/main.lock', 'refs/signalbox/tip/main.lock', 'packed-refs.lock', 'HEAD.lock']) {
      writeFileSync(path.join(world.remote, name), '');
    }
    const gate = path.join(world.root, 'host-one/gates/web.git');
    mkdirSync(path.join(gate, 'refs/gate/x'), { recursive: true });
    writeFileSync(path.join(gate, 'refs/gate/x/y.lock'), '');
    writeFileSync(path.join(gate, 'packed-refs.lock'), '');
    const { plan } = prepared;
    expect((await landings.publishLanding(plan, { kind: 'none', tree: plan.tree })).kind).toBe('landed');
    expect(existsSync(path.join(gate, 'packed-refs.lock'))).toBe(false);
  });

  it('block, named, while somebody works inside the remote', async () => {
    const landings = createLandings(world.host('one'), world.records);
    const prepared = await landings.prepareLanding(world.request('ET-1', world.head('ET-1', { x: 'x\n' })), null);
    if (prepared.kind !== 'planned') throw new Error(prepared.kind);
    const file = path.join(world.remote, 'refs/heads/main.lock');
    writeFileSync(file, '');
    utimesSync(file, 0, 0);
    const sleeper = spawn('sleep', ['60'], { cwd: path.join(world.remote, 'objects'), stdio: 'ignore' });
    const { plan } = prepared;
    try {
      expect(await landings.publishLanding(plan, { kind: 'none', tree: plan.tree })).toMatchObject({
        kind: 'blocked',
        block: { code: 'foreign-lock', reason: expect.stringContaining(file) as string },
      });
      expect(existsSync(file)).toBe(true);
    } finally {
      sleeper.kill('SIGKILL');
      await ended(sleeper);
    }
    expect((await landings.publishLanding(plan, { kind: 'none', tree: plan.tree })).kind).toBe('landed');
  });

  it('and a damaged gate is made anew', async () => {
    const landings = createLandings(world.host('one'), world.records);
    const head = world.head('ET-1', { x: 'x\n' });
    const first = await landings.prepareLanding(world.request('ET-1', head), null);
    const gate = path.join(world.root, 'host-one/gates/web.git');
    rmSync(path.join(gate, 'HEAD'));
    expect(await landings.prepareLanding(world.request('ET-1', head), null)).toEqual(first);
    writeFileSync(path.join(gate, 'objects/info/alternates'), '/tmp\n');
    expect(await landings.prepareLanding(world.request('ET-1', head), null)).toEqual(first);
    expect(existsSync(path.join(gate, 'objects/info/alternates'))).toBe(false);
  });
});

describe('a killed publisher', () => {
  it.each(['publish-before-push', 'publish-after-push'])('at %s lands once', async (point) => {
    const seen = await killAndRecover(world, 'ET-1', { mode: 'publish', crash: `${point}:1` });
    expect(seen).toBe(point === 'publish-after-push' ? 'after' : 'before');
  });

  it.each(['fence-before-push', 'fence-after-push'])('of a fence at %s leaves a fence to be taken', async (point) => {
    const seen = await killAndRecover(world, 'ET-1', { mode: 'fence', crash: `${point}:1` });
    expect(seen).toBe(point === 'fence-after-push' ? 'after' : 'before');
  });

  it('at any moment, with all its children, lands once and blocks nothing', async () => {
    const moments = { publish: new Moments(), fence: new Moments() };
    for (let round = 1; round <= 6; round += 1) {
      const mode = round % 3 === 0 ? 'fence' : 'publish';
      moments[mode].seen(await killAndRecover(world, `ET-${round}`, { mode, afterMs: moments[mode].next() }));
    }
  });
});

const untraceable = cannotTrace();
const seed = Date.now() % 1_000_000;

describe.skipIf(untraceable !== null)(`a git process of a publish that dies at a system call (seed ${seed})`, () => {
  it(`leaves nothing corrupt or blocked, and the entry lands once${untraceable === null ? '' : ` (${untraceable})`}`, async () => {
    const kills = new SyscallKills(world);
    const random = mulberry(seed);
    const points = await kills.points();
    for (const death of ['one', 'one', 'all', 'all'] as const) {
      const point = points[Math.floor(random() * points.length)];
      if (point === undefined) throw new Error('nothing was counted');
      await kills.killAndRecover(point, death).catch((err: unknown) => {
        throw new Error(`seed ${seed}: ${death} at ${point.process} ${point.call}: ${point.text}`, { cause: err });
      });
    }
  });
});

function childrenOf(pid: number): number {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).length;
}
