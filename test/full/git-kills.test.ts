import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeWorld, type World } from '../support/git.js';
import { killAndRecover } from '../support/git-kills.js';

const ROUNDS = 300;

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.cleanUp());

it(
  `${ROUNDS} kills at random moments: each entry lands once, nothing stays blocked`,
  { timeout: 30 * 60_000 },
  async () => {
    const seen = { before: 0, after: 0 };
    for (let round = 1; round <= ROUNDS; round += 1) {
      const afterMs = Math.floor(Math.random() * 600);
      seen[await killAndRecover(world, `ET-${round}`, { mode: round % 5 === 0 ? 'fence' : 'publish', afterMs })] += 1;
    }
    // The moments must fall on both sides of the push, or the test shows nothing.
    expect(seen.before).toBeGreaterThan(10);
    expect(seen.after).toBeGreaterThan(10);
  },
);
