import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeWorld, type World } from '../support/git.js';
import { killAndRecover, Moments } from '../support/git-kills.js';

const ROUNDS = 300;

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.cleanUp());

it(
  `${ROUNDS} kills at random moments: each entry lands once, nothing stays blocked`,
  { timeout: 45 * 60_000 },
  async () => {
    const seen = { before: 0, after: 0 };
    const moments = { publish: new Moments(), fence: new Moments() };
    for (let round = 1; round <= ROUNDS; round += 1) {
      const mode = round % 5 === 0 ? 'fence' : 'publish';
      const when = await killAndRecover(world, `ET-${round}`, { mode, afterMs: moments[mode].next() });
      moments[mode].seen(when);
      seen[when] += 1;
    }
    // The moments must fall on both sides of the push, or the test shows nothing.
    process.stdout.write(`${JSON.stringify(seen)}\n`);
    expect(seen.before).toBeGreaterThan(ROUNDS / 10);
    expect(seen.after).toBeGreaterThan(ROUNDS / 10);
  },
);
