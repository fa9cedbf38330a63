import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backoffMs, LONGEST_RETRY_AFTER_SECONDS } from '../../../domain/agents/backoff.js';

const times = { baseMs: 10_000, maxMs: 600_000 };

it('doubles from twice the base up to the longest wait', () => {
  expect([1, 2, 3, 4, 5, 6, 7].map((n) => backoffMs(n, times, 0) / 1000)).toEqual([20, 40, 80, 160, 320, 600, 600]);
});

it('adds up to a tenth, never less than asked, and honours a positive retry-after up to 7 days', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.option(fc.oneof(fc.double(), fc.integer())),
      (n, random, retryAfter) => {
        const plain = Math.min(times.baseMs * 2 ** n, times.maxMs);
        const counts = retryAfter !== null && Number.isFinite(retryAfter) && retryAfter > 0;
        const floor = counts ? Math.min(retryAfter, LONGEST_RETRY_AFTER_SECONDS) * 1000 : 0;
        const wait = backoffMs(n, times, random, retryAfter);
        expect(wait).toBeGreaterThanOrEqual(Math.max(plain, floor));
        expect(wait).toBeLessThanOrEqual(Math.max(plain, floor) * 1.1 + 1);
      },
    ),
  );
});
