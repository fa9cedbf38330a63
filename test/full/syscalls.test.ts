/** About 25 minutes: a publish dies at every file-related system call of its git processes, alone and with the rest. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorld, type World } from '../support/git.js';
import { SyscallKills } from '../support/syscall-kills.js';
import { cannotTrace } from '../support/wrapped-git.js';

const missing = cannotTrace();

describe.skipIf(missing !== null)(`kills at every system call${missing === null ? '' : ` (${missing})`}`, () => {
  let world: World;
  let kills: SyscallKills;
  beforeAll(() => {
    world = makeWorld();
    kills = new SyscallKills(world);
  });
  afterAll(() => world.cleanUp());

  it.each([
    { death: 'one', what: 'of the process alone' },
    { death: 'all', what: 'of publisher, git and remote at once' },
  ] as const)('$what: nothing corrupt, nothing blocked, one landing each', async ({ death }) => {
    const points = await kills.points();
    let hit = 0;
    for (const [n, point] of points.entries()) {
      try {
        if (await kills.killAndRecover(point, death)) hit += 1;
      } catch (err) {
        throw new Error(`${death} at ${point.process} ${point.call}: ${point.text}`, { cause: err });
      }
      if (n % 100 === 99) process.stdout.write(`${n + 1} of ${points.length}\n`);
    }
    process.stdout.write(`${JSON.stringify({ death, points: points.length, hit })}\n`);
    // The calls of a run differ a little from those of the counted one.
    expect(hit).toBeGreaterThan(points.length * 0.8);
  });
});
