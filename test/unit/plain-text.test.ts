import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lastLines, plain, withLastLines, withoutSecrets } from '../../domain/plain-text.js';

it('keeps the end of an output: few lines, few characters, inert', () => {
  expect(lastLines('')).toBe('');
  expect(lastLines(' \n\n')).toBe('');
  expect(lastLines('\u001b[31mboom\u001b[0m: no API key\r\n\n')).toBe('boom: no API key');
  const many = Array.from({ length: 50 }, (_, i) => `line ${i}`).join('\n');
  expect(lastLines(many).split('\n')).toEqual(Array.from({ length: 10 }, (_, i) => `line ${i + 40}`));
  expect(lastLines('x'.repeat(100_000))).toHaveLength(1501);
  expect(() => encodeURIComponent(lastLines(`${'😀'.repeat(2000)}x`))).not.toThrow(); // no half of a pair
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 300 }), (text) => {
      const kept = lastLines(text.repeat(8));
      expect(kept.length).toBeLessThanOrEqual(1501);
      expect(kept.split('\n').length).toBeLessThanOrEqual(10);
      expect(plain(kept)).toBe(kept);
    }),
  );
});

it('sets them off below what is said', () => {
  expect(withLastLines('it failed', 'one\ntwo\n')).toBe('it failed; its last lines:\n    one\n    two');
  expect(withLastLines('it failed', '\n')).toBe('it failed');
});

it('names secrets in place of telling them', () => {
  const env = { KEY: 'k3y-of-the-model', LONGER: 'k3y-of-the-model-2', MODE: 'fast', EMPTY: '' };
  expect(withoutSecrets('k3y-of-the-model-2 and k3y-of-the-model, fast', env)).toBe('[LONGER] and [KEY], fast');
  expect(withoutSecrets(`token sbx_${'a'.repeat(43)}!`, {})).toBe('token [token]!');
  fc.assert(
    fc.property(fc.string({ minLength: 8 }), fc.string(), fc.string(), (secret, before, after) => {
      fc.pre(secret.trim().length >= 8 && !'[K]'.includes(secret.trim()));
      expect(withoutSecrets(`${before}${secret}${after}`, { K: secret })).toContain('[K]');
    }),
  );
});
