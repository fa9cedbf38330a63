import { expect, test } from 'vitest';
import { auditedCancel, cancelledBy, claimedBy, sourceOf } from '../../../domain/pipeline/actor.js';

test('a name counts only beside an audit row, and a text names the row', () => {
  expect(claimedBy({ by: 'the queen' })).toBe('temporal');
  expect(claimedBy({ by: 'ann', intent: 7 })).toBe('ann');
  expect(claimedBy({ intent: 7 })).toBe('temporal');
  expect(sourceOf({ by: 'the queen' })).toBe('temporal');
  expect(sourceOf({ by: 'the queen', intent: 7 })).toBe('audit row 7');
});

test('the audit row of a cancel is found in the words that name it, and nowhere else', () => {
  const by = (intent?: number): string =>
    cancelledBy(sourceOf(intent === undefined ? {} : { intent }), 'wrong repo: x');
  expect(auditedCancel(by(7))).toEqual({ row: 7, reason: 'wrong repo: x' });
  expect(auditedCancel(by())).toBeNull();
  expect(auditedCancel(cancelledBy('temporal', by(7)))).toBeNull();
});
