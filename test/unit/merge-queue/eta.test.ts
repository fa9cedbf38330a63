import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimate } from '../../../domain/merge-queue/eta.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const after = (ms: number): string => new Date(NOW - ms).toISOString();
const of = (durations: number[], startedAt: string | null = null) => ({ durations, startedAt });

test('little is known of little', () => {
  for (const durations of [[], [4000], [4000, 5000]]) expect(estimate(of(durations), 1, NOW)).toBeNull();
});

test('what is done of the first is not waited for again', () => {
  const took = [10_000, 10_000, 10_000];
  expect(estimate(of(took, after(4000)), 1, NOW)?.etaSeconds).toBe(6);
  expect(estimate(of(took, after(4000)), 3, NOW)?.etaSeconds).toBe(26);
  // Longer than any before: nothing says how long still.
  expect(estimate(of(took, after(11_000)), 1, NOW)?.etaSeconds).toBe(10);
  // A clock that is behind the one of the queue.
  expect(estimate(of(took, after(-2000)), 1, NOW)?.etaSeconds).toBe(10);
});

test('one longer sample alone does not make the range a point', () => {
  const eta = estimate(of([8000, 9000, 10_000, 11_000, 30_000], after(20_000)), 1, NOW);
  expect(eta?.etaHighSeconds).toBeGreaterThan(eta?.etaLowSeconds ?? 0);
});

test('the range holds what it says, and no less of what it says: about eight of ten', () => {
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 5, 10, 30, 60), fc.integer(), (position, seed) => {
      const random = lcg(seed);
      // Skewed, as checks are: mostly a minute, at times three.
      const draw = (): number => 60_000 + 20_000 * random() + (random() < 0.2 ? 120_000 * random() : 0);
      let inside = 0;
      const rounds = 1000;
      for (let round = 0; round < rounds; round += 1) {
        const eta = estimate(of(Array.from({ length: 20 }, draw)), position, NOW);
        let took = 0;
        for (let i = 0; i < position; i += 1) took += draw() / 1000;
        if (eta !== null && took >= eta.etaLowSeconds && took <= eta.etaHighSeconds) inside += 1;
      }
      expect(inside / rounds).toBeGreaterThan(0.7);
    }),
    { numRuns: 20 },
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
