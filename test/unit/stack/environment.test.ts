import { expect, test } from 'vitest';
import { environmentOf } from '../../../cli/environment.js';

test.each([
  ['SIGNALBOX_CHECK_SLOTS', '-1', '0 to 1000'],
  ['SIGNALBOX_CHECK_PORTS', '80-90', '1024 to 65535'],
  ['SIGNALBOX_CHECK_PORTS', '23000-23008', 'at least 10'],
  ['SIGNALBOX_CHECK_PORTS', '23000', 'FIRST-LAST'],
  ['SIGNALBOX_HOST_ID', 'A B', '^[a-z0-9]'],
  ['DATABASE_URL', 'mysql://x', 'postgres://'],
])('%s=%s is refused by name', (name, value, allowed) => {
  expect(() => environmentOf({ [name]: value })).toThrow(name);
  expect(() => environmentOf({ [name]: value })).toThrow(allowed);
});

test("Temporal's own configuration is taken over: TLS, API key, namespace", () => {
  const target = environmentOf({
    ...{ TEMPORAL_ADDRESS: 'x.example:7233', TEMPORAL_API_KEY: 'key', TEMPORAL_NAMESPACE: 'fleet' },
  }).temporal;
  expect(target).toMatchObject({
    ...{ address: 'x.example:7233', namespace: 'fleet' },
    connectionOptions: { apiKey: 'key', tls: true },
  });
});

test('without an address there is no external Temporal, whatever lies in the home directory', () => {
  expect(environmentOf({ TEMPORAL_NAMESPACE: 'fleet' }).temporal).toBeNull();
});
