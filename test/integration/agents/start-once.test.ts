import { expect, it } from 'vitest';
import { killWorkers } from '../../support/start-once.js';

it('starts a command once, however many workers are killed around its start, and the next one sees its end', async () => {
  const seen = [];
  for (let n = 0; n < 5; n += 1) seen.push(await killWorkers(10));
  for (const { starts, end, left } of seen) {
    expect(starts).toBe(1);
    expect(end).toMatchObject({ state: 'exited', exit: { code: 7 } });
    expect(left).toBe(0);
  }
});
