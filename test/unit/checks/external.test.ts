import fc from 'fast-check';
import { expect, test } from 'vitest';
import { configHash } from '../../../domain/checks/config-hash.js';
import { checkRefName, externalResult, stepsOf, untilNextLook } from '../../../domain/checks/external.js';
import type { CheckConfig, CommandCheck, ExternalCheck } from '../../../domain/checks/types.js';
import { readDelivery } from '../../../domain/webhooks.js';

const command = (name: string): CommandCheck => ({
  ...{ name, kind: 'command', command: ['true'], timeout: 1000, env: {}, needsHistory: false },
});
const external = (name: string, more: Partial<ExternalCheck> = {}): ExternalCheck => ({
  ...{ name, kind: 'external', context: 'build', timeout: 1000, ...more },
});

test('the steps are all checks in their order, and commands that follow one another are one run', () => {
  expect(stepsOf([command('a'), command('b')])).toBeNull();
  expect(stepsOf([])).toBeNull();
  const some = fc.array(fc.boolean(), { maxLength: 8 });
  fc.assert(
    fc.property(some, (kinds) => {
      const checks: CheckConfig[] = kinds.map((is, i) => (is ? external(`c${i}`) : command(`c${i}`)));
      const steps = stepsOf(checks);
      expect(steps === null).toBe(!kinds.includes(true));
      if (steps === null) return;
      const names = steps.flatMap((step) => (step.kind === 'external' ? [step.check.name] : step.checks));
      expect(names).toEqual(checks.map((check) => check.name));
      expect(steps.some((step, i) => step.kind === 'commands' && steps[i + 1]?.kind === 'commands')).toBe(false);
    }),
  );
});

test('only the forge’s own failure is a red', () => {
  const said = { description: 'words', url: 'https://ci.test' };
  const kindOf = (state: 'pending' | 'success' | 'failure' | 'error' | 'lost') =>
    externalResult(external('ci'), { state, ...said }, 1)?.kind ?? null;
  expect(externalResult(external('ci'), { state: 'absent' }, 1)).toBeNull();
  expect(['pending', 'success', 'failure', 'error', 'lost'].map((s) => kindOf(s as 'lost'))).toEqual([
    ...[null, 'green', 'red', 'fault', 'fault'],
  ]);
  const error = externalResult(external('ci'), { state: 'error', ...said }, 1);
  expect(error).toEqual({ kind: 'fault', reason: 'the forge ended build without a verdict: words' });
});

test('looks grow rarer between their bounds, and a long wait costs few of them', () => {
  const backoff = { backoffBase: 10_000, backoffMax: 600_000 };
  let [elapsed, looks] = [0, 0];
  for (; elapsed < 24 * 3600_000; looks += 1) elapsed += untilNextLook(elapsed, backoff);
  expect(looks).toBeLessThan(250);
  fc.assert(
    fc.property(fc.nat(1e9), (ms) => {
      const next = untilNextLook(ms, backoff);
      expect(next >= backoff.backoffBase && next <= backoff.backoffMax).toBe(true);
    }),
  );
});

test('context and timeout of an external check are in the hash, the commit is not', () => {
  const hash = (check: CheckConfig, commit = 'c') => configHash([check], null, commit);
  const hashes = [
    external('a'),
    external('b'),
    external('a', { context: 'x' }),
    external('a', { timeout: 2 }),
    command('a'),
  ];
  expect(new Set(hashes.map((check) => hash(check))).size).toBe(hashes.length);
  expect(hash(external('a'), 'd')).toBe(hash(external('a'), 'c'));
});

test('the check ref of a landing is named by its entry, and any other by its verdict', () => {
  expect(checkRefName({ kind: 'base', branch: 'main', commit: 'c' }, 'own')).toBe('own');
  const entry = { entry: 'e1' };
  expect(checkRefName({ kind: 'plan', plan: { entry } } as Parameters<typeof checkRefName>[0], 'own')).toBe('e1');
});

test('no delivery of any shape breaks the reading of it', () => {
  fc.assert(
    fc.property(fc.constantFrom('github', 'gitea', 'gitlab'), fc.string(), fc.jsonValue(), (source, event, payload) => {
      expect(['status', 'ignored', 'malformed']).toContain(readDelivery(source, event, payload).kind);
    }),
  );
});
