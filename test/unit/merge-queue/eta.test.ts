import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimate } from '../../../domain/merge-queue/eta.js';

test('little is known of little', () => {
  expect(estimate([], 1, null)).toBeNull();
  expect(estimate([4000], 1, null)).toBeNull();
});

test('what is done of the first is not waited for again', () => {
  const took = [10_000, 10_000, 10_000];
  expect(estimate(took, 1, 4000)?.etaSeconds).toBe(6);
  expect(estimate(took, 3, 4000)?.etaSeconds).toBe(26);
  // Longer than any before: nothing says how long still.
  expect(estimate(took, 1, 11_000)?.etaSeconds).toBe(10);
});

test('the range holds what it says, and no less of what it says: about eight of ten', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.integer(), (position, seed) => {
      const random = lcg(seed);
      // Skewed, as checks are: mostly a minute, at times three.
      const draw = (): number => 60_000 + 20_000 * random() + (random() < 0.2 ? 120_000 * random() : 0);
      let inside = 0;
      const rounds = 300;
      for (let round = 0; round < rounds; round += 1) {
        const eta = estimate(Array.from({ length: 20 }, draw), position, null);
        let took = 0;
        for (let i = 0; i < position; i += 1) took += draw() / 1000;
        if (eta !== null && took >= eta.etaLowSeconds && took <= eta.etaHighSeconds) inside += 1;
      }
      expect(inside / rounds).toBeGreaterThan(0.5);
    }),
    { numRuns: 30 },
  );
});

/** Numbers in [0, 1) that a seed decides. */
function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
