import { describe, test } from 'vitest';
import { mulberry } from '../../bench/random.js';
import { storm, VICTIMS } from '../support/storm.js';

/** About 20 minutes: twenty storms of fifteen kills, 300 in all. One that fails names its seed. */
describe('300 kills at random', () => {
  const first = Date.now() % 1_000_000;
  for (let n = 0; n < 20; n++) {
    const seed = first + n;
    test(`storm ${seed}`, async () => {
      const random = mulberry(seed);
      const victims = Array.from({ length: 15 }, () => VICTIMS[Math.floor(random() * VICTIMS.length)] ?? 'worker');
      await storm({ seed, tasks: 6, victims, pauseMs: 2500 });
    });
  }
});
