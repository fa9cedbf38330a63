import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseResult } from '../../../domain/agents/result-file.js';

const usage = (value: unknown) => {
  const parsed = parseResult(JSON.stringify({ verdict: 'pass', usage: value }));
  return parsed.ok ? parsed.result.usage : 'refused';
};

it.each([
  ['not JSON', 'verdict: pass'],
  ['an array', '[]'],
  ['a text', '"pass"'],
  ['null', 'null'],
  ['an unknown verdict', '{"verdict":"maybe"}'],
  ['a verdict that is no text', '{"verdict":true}'],
  ['a summary that is no text', '{"summary":{}}'],
  ['a retry time that is no number', '{"retryAfterSeconds":"soon"}'],
  ['a question without words', '{"verdict":"needs_human"}'],
])('refuses %s', (_name, text) => {
  expect(parseResult(text).ok).toBe(false);
});

it.each([[-1], ['0.5'], [null], [1e308], [undefined], [{}]])(
  'takes the cost %j for unknown, never for 0',
  (costUsd) => {
    expect(usage({ inputTokens: 5, costUsd })).toMatchObject({ inputTokens: 5, costUsd: null });
  },
);

it('takes NaN for broken JSON, and broken token counts for an unknown cost', () => {
  expect(parseResult('{"usage":{"costUsd":NaN}}').ok).toBe(false);
  expect(usage({ inputTokens: -4, costUsd: 1 })).toMatchObject({ inputTokens: 0, costUsd: null });
  expect(usage('lots')).toMatchObject({ costUsd: null });
  expect(usage({ costUsd: 0.25, model: 'm' })).toMatchObject({ costUsd: 0.25, model: 'm' });
});

it('never throws, and never gives a cost that a sum could not take', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((u) => `{"usage":${u}}`),
      ),
      (text) => {
        const parsed = parseResult(text);
        const cost = parsed.ok ? (parsed.result.usage?.costUsd ?? null) : null;
        expect(cost === null || (Number.isFinite(cost) && cost >= 0)).toBe(true);
      },
    ),
  );
});
