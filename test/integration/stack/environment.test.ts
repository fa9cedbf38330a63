/** Existing services in place of the embedded ones, and bad settings. */
import { execa } from 'execa';
import { inject, test, expect } from 'vitest';
import { entrypoint } from '../../../activities/entrypoint.js';
import { Instance } from '../../support/instance.js';
import { createTestDatabase } from '../../support/postgres.js';

test('DATABASE_URL and TEMPORAL_ADDRESS replace the embedded servers', async () => {
  const database = await createTestDatabase({ empty: true });
  const instance = await Instance.create({
    ...{ DATABASE_URL: database.url, TEMPORAL_ADDRESS: inject('temporalAddress') },
    // A namespace that is not there yet is made.
    ...{ TEMPORAL_NAMESPACE: `test-${process.pid}`, SIGNALBOX_QUEUE_PREFIX: `stack-${process.pid}` },
  });
  try {
    await instance.start();
    expect(instance.ready).toMatchObject({
      ...{ database: database.url, temporal: inject('temporalAddress'), namespace: `test-${process.pid}`, ui: null },
    });
    expect(Object.keys(await instance.children()).sort()).toEqual(['api', 'worker']);
    const hosts = await instance.client.get<{ items: { status: string }[] }>('/api/hosts');
    expect(hosts.items).toHaveLength(1);
  } finally {
    await instance.remove();
    await database.drop();
  }
});

test('a bad setting is refused at start, by name and with what is allowed', async () => {
  const args = [entrypoint('cli/main'), 'up', '--json', '--data-dir', '/nonexistent'];
  const up = await execa(process.execPath, args, { env: { SIGNALBOX_AGENT_STALE: 'soon' }, reject: false });
  expect(up.exitCode).toBe(1);
  expect(up.stderr).toContain('SIGNALBOX_AGENT_STALE');
  expect(up.stderr).toContain('100ms');
});
