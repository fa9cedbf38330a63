import { expect, test } from 'vitest';
import { claimedBy, sourceOf } from '../../../domain/pipeline/actor.js';

test('a name counts only beside an audit row, and a text names the row', () => {
  expect(claimedBy({ by: 'the queen' })).toBe('temporal');
  expect(claimedBy({ by: 'ann', intent: 7 })).toBe('ann');
  expect(claimedBy({ intent: 7 })).toBe('temporal');
  expect(sourceOf({ by: 'the queen' })).toBe('temporal');
  expect(sourceOf({ by: 'the queen', intent: 7 })).toBe('audit row 7');
});
