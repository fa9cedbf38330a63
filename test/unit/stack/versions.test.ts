import { expect, test } from 'vitest';
import { compareVersions } from '../../../cli/embedded/temporal-binary.js';

test('versions are compared by number, and a missing part is 0', () => {
  expect(compareVersions('1.10.0', '1.9.1')).toBeGreaterThan(0);
  expect(compareVersions('1.9.0', '1.9.1')).toBeLessThan(0);
  expect(compareVersions('2.39', '2.39.0')).toBe(0);
});
