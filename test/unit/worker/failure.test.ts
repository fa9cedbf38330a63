import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { asActivities, toFailure } from '../../../activities/failure.js';
import { SignalboxError } from '../../../domain/errors.js';

test('code, retryability and data travel; what nobody foresaw is not retried', () => {
  const known = toFailure(new SignalboxError('git-infrastructure', 'no', { retryAfter: 3 }));
  expect(known).toMatchObject({ type: 'git-infrastructure', nonRetryable: false, details: [{ retryAfter: 3 }] });
  expect(toFailure(new SignalboxError('conflict', 'no'))).toMatchObject({ type: 'conflict', nonRetryable: true });
  expect(toFailure(new TypeError('x'))).toMatchObject({ type: 'internal', nonRetryable: true, message: 'x' });
  expect(toFailure('x')).toMatchObject({ type: 'internal', message: 'x' });
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  expect(toFailure(refused)).toMatchObject({ type: 'database', nonRetryable: false });
});

test('failures of Temporal pass as they are, and every function is wrapped', async () => {
  const cancelled = new CancelledFailure('stop');
  expect(toFailure(cancelled)).toBe(cancelled);
  const wrapped = asActivities({
    good: (a: number) => Promise.resolve(a + 1),
    bad: () => Promise.reject(new SignalboxError('not-found', 'gone')),
  });
  expect(await wrapped.good(1)).toBe(2);
  await expect(wrapped.bad()).rejects.toBeInstanceOf(ApplicationFailure);
});
