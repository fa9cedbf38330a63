import { describe, expect, test } from 'vitest';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { DEMO_PIPELINE } from '../../cli/demo/tasks.js';
import { Instance } from '../support/instance.js';
import { expectNothingLeft, expectProvenLandings } from '../support/invariants.js';

const POINTS = [
  'run-before-start',
  'run-after-start',
  'run-before-store',
  'run-after-store',
  'head-before-push',
  'head-after-push',
  'check-before-result',
  'publish-before-push',
  'publish-after-push',
];

/** About four minutes: the worker dies once at each named point, through the whole stack. */
describe('a worker that dies at', () => {
  test.each(POINTS)('%s is followed by one that finishes the work, once', async (point) => {
    const instance = await Instance.create({ SIGNALBOX_CRASH_AT: `${point}:1`, SIGNALBOX_BACKOFF_BASE: '200ms' });
    try {
      await instance.start();
      const sample = await instance.addSampleRepository(DEMO_PIPELINE);
      const { task } = await instance.submit('Change', {
        development: [{ write: 'x.txt', text: 'x\n' }, { commit: 'X' }],
      });
      const done = await instance.untilTask(task, (t) => t.state === 'done', 120_000);
      expect(existsSync(path.join(instance.dataDir, 'crashed-here'))).toBe(true);
      expect(done.counters.faults).toBe(0);
      await expectProvenLandings(instance, sample, [done]);
      await expectNothingLeft(instance, sample.remote);
    } finally {
      await instance.remove();
    }
  });
});
