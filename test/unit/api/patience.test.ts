import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { Patience } from '../../../api/patience.js';

afterEach(() => vi.useRealTimers());

it.each([-1, 1])('is neither ended nor prolonged by a system clock that is set by %d h', async (hours) => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const patience = new Patience(50);
  vi.setSystemTime(Date.now() + hours * 3_600_000);
  expect(patience.over).toBe(false);
  expect(patience.left).toBeGreaterThan(0);
  await sleep(60);
  expect([patience.over, patience.left]).toEqual([true, 0]);
});
