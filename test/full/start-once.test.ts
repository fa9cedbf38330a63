import { expect, it } from 'vitest';
import { killWorkers } from '../support/start-once.js';

/** About four minutes on two cores. */
it('starts a command once under 1,000 kills', { timeout: 20 * 60_000 }, async () => {
  for (let n = 0; n < 125; n += 1) {
    const { starts, end, left } = await killWorkers(8, 60 + (n % 5) * 60);
    expect({ starts, state: end.state, left }).toEqual({ starts: 1, state: 'exited', left: 0 });
  }
});
