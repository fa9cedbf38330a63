/**
 * The small real repository of the demo: parcel rates with real tests, on a bare remote. Its remote keeps a reflog of
 * every branch, so that the order of landings can be proven from outside.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { demoGit } from './git.js';

const FILES: Record<string, string> = {
  'package.json': `${JSON.stringify({ name: 'parcel-rates', private: true, type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'README.md': '# Parcel rates\n\nWhat it costs to send a parcel.\n',
  'src/rates.js': [
    '/** Cents for each kind of parcel. */',
    'export const RATES = {',
    '  letter: 100,',
    '  small: 300,',
    '};',
    '',
    '/** Price of `count` parcels of one kind, in cents. */',
    'export function price(kind, count = 1) {',
    '  const rate = RATES[kind];',
    '  if (rate === undefined) throw new RangeError(`unknown kind ${kind}`);',
    '  return rate * count;',
    '}',
    '',
  ].join('\n'),
  'src/format.js': 'export function money(cents) {\n  return (cents / 100).toFixed(2);\n}\n',
  'test/rates.test.js': [
    "import assert from 'node:assert/strict';",
    "import test from 'node:test';",
    "import { price } from '../src/rates.js';",
    '',
    "test('a letter costs one', () => assert.equal(price('letter'), 100));",
    "test('two small parcels', () => assert.equal(price('small', 2), 600));",
    "test('unknown kinds are refused', () => assert.throws(() => price('sofa'), RangeError));",
    '',
  ].join('\n'),
  'test/format.test.js': [
    "import assert from 'node:assert/strict';",
    "import test from 'node:test';",
    "import { money } from '../src/format.js';",
    '',
    "test('two digits', () => assert.match(money(305), /3\\.05/));",
    '',
  ].join('\n'),
};

/** Makes `<dir>/parcel-rates.git` with one commit on main; returns its path and that commit. */
export async function createSampleRepository(dir: string): Promise<{ remote: string; first: string }> {
  const remote = path.join(dir, 'parcel-rates.git');
  const seed = path.join(dir, 'seed');
  await demoGit(dir, ['init', '-q', '--bare', '-b', 'main', remote]);
  await demoGit(remote, ['config', 'core.logAllRefUpdates', 'always']);
  await demoGit(dir, ['init', '-q', '-b', 'main', seed]);
  for (const [name, text] of Object.entries(FILES)) {
    await mkdir(path.dirname(path.join(seed, name)), { recursive: true });
    await writeFile(path.join(seed, name), text);
  }
  await demoGit(seed, ['add', '-A']);
  await demoGit(seed, ['commit', '-q', '-m', 'Start with letters and small parcels']);
  await demoGit(seed, ['push', '-q', remote, 'main']);
  return { remote, first: (await demoGit(seed, ['rev-parse', 'HEAD'])).trim() };
}
