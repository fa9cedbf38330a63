import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SETTINGS } from '../../../domain/settings.js';

test('docs/running.md lists every setting with its default and meaning', () => {
  const text = readFileSync(new URL('../../../docs/running.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` +\| (\S+) +\| (.+?) +\|$/gm)].map(([, name, value, meaning]) => [
    name,
    value?.replaceAll('`', ''),
    meaning,
  ]);
  expect(rows).toEqual(
    Object.entries(SETTINGS).map(([name, { default: value, meaning }]) => [name, value ?? '–', meaning]),
  );
});
