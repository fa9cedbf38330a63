import { expect, test } from 'vitest';
import { configHash, selectChecks } from '../../../domain/checks/config-hash.js';
import type { CommandCheck, SetupConfig } from '../../../domain/checks/types.js';

const check: CommandCheck = {
  ...{ name: 'unit', kind: 'command', command: ['npm', 'test'], timeout: 1000, env: { A: '1', B: '2' } },
  needsHistory: false,
};
const setup: SetupConfig = { command: ['npm', 'ci'], timeout: 1000, cache: ['n'], cacheKey: ['k'] };
const hash = (over: Partial<CommandCheck> = {}, s: SetupConfig | null = setup, commit = 'c1'): string =>
  configHash([{ ...check, ...over }], s, commit);

test('every field that can change a verdict changes the hash', () => {
  const hashes = [
    hash(),
    hash({ name: 'other' }),
    hash({ command: ['npm test'] }),
    hash({ timeout: 1001 }),
    hash({ env: { A: '1' } }),
    hash({ needsHistory: true }),
    hash({}, null),
    hash({}, { ...setup, command: ['x'] }),
    hash({}, { ...setup, timeout: 1 }),
    hash({}, { ...setup, cache: [] }),
    hash({}, { ...setup, cacheKey: [] }),
    configHash([check, check], setup, 'c1'),
    configHash([], setup, 'c1'),
  ];
  expect(new Set(hashes).size).toBe(hashes.length);
});

test('the order of env does not count, the commit only with history', () => {
  expect(hash({ env: { B: '2', A: '1' } })).toBe(hash());
  expect(hash({}, setup, 'c2')).toBe(hash());
  expect(hash({ needsHistory: true }, setup, 'c2')).not.toBe(hash({ needsHistory: true }));
});

test('checks are chosen by name, in the order asked', () => {
  const lint = { ...check, name: 'lint' };
  expect(selectChecks([check, lint], ['lint', 'unit']).map((c) => c.name)).toEqual(['lint', 'unit']);
  expect(selectChecks([check, lint], null)).toHaveLength(2);
  expect(() => selectChecks([check], ['lint'])).toThrow(/no check called lint/);
});
