import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tailOf } from '../../../domain/checks/run-result.js';

it('keeps the last 200 lines and at most 32 KiB', () => {
  const lines = Array.from({ length: 500 }, (_x, i) => `line ${i}`);
  expect(tailOf(`${lines.join('\n')}\n`)).toBe(lines.slice(-200).join('\n'));
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.integer({ min: 1, max: 900 }), (text, times) => {
      const tail = tailOf(text.repeat(times));
      expect(new TextEncoder().encode(tail).length).toBeLessThanOrEqual(32 * 1024);
      expect(tail.split('\n').length).toBeLessThanOrEqual(200);
    }),
  );
});
