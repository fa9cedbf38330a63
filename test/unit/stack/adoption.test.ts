import { expect, test } from 'vitest';
import { isPredecessor, workerIdentity } from '../../../worker/adoption.js';

test('an identity names host and incarnation, and only earlier ones of the same host are predecessors', () => {
  const earlier = workerIdentity('web#1', 6);
  expect(isPredecessor(earlier, 'web#1', 7)).toBe(true);
  expect(isPredecessor(earlier, 'web#1', 6)).toBe(false);
  expect(isPredecessor(earlier, 'web', 7)).toBe(false);
  expect(isPredecessor('1234@machine', 'web', 7)).toBe(false);
  expect(isPredecessor('', 'web', 7)).toBe(false);
});
