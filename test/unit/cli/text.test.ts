import { expect, it } from 'vitest';
import { UsageError } from '../../../cli/client.js';
import { age, fields, plain, table } from '../../../cli/output.js';
import { taskRoute } from '../../../cli/task-text.js';
import { parseNamedCommand, splitWords } from '../../../cli/words.js';

it.each([
  ['npm test', ['npm', 'test']],
  ['  a   b ', ['a', 'b']],
  [`sh -c 'a && b'`, ['sh', '-c', 'a && b']],
  [`x "two words" y\\ z`, ['x', 'two words', 'y z']],
  [`a"b"'c'`, ['abc']],
  [`x ''`, ['x', '']],
  [String.raw`x "a\"b\\c"`, ['x', String.raw`a"b\c`]],
])('splits %s', (text, words) => {
  expect(splitWords(text)).toEqual(words);
});

it.each(['a && b', 'a | b', 'a; b', 'a > b', '$HOME/x', '`id`', '$(id)', `a 'b`, ''])(
  'leaves %j to a shell',
  (text) => {
    expect(() => splitWords(text)).toThrow(UsageError);
  },
);

it('reads a named command', () => {
  expect(parseNamedCommand('unit=npm run test -- --a=b')).toEqual({
    name: 'unit',
    command: ['npm', 'run', 'test', '--', '--a=b'],
  });
  expect(() => parseNamedCommand('npm test')).toThrow(UsageError);
});

it('takes what steers a terminal out of text', () => {
  expect(plain('\u001b[31mred\u001b[0m \u001b]8;;http://x\u0007link\u001b]8;;\u0007\u0000\u202e!\r\nnext\tcell')).toBe(
    'red link!\nnext\tcell',
  );
});

it('aligns', () => {
  expect(
    table(
      ['a', 'b'],
      [
        ['1', null],
        ['long', 'x\ny'],
      ],
    ),
  ).toBe('A     B\n1     -\nlong  x y');
  expect(table(['a'], [], 'nothing')).toBe('nothing');
  expect(
    fields([
      ['one', 1],
      ['none', null],
      ['longer', 'x'],
    ]),
  ).toBe('one     1\nlonger  x');
  const now = Date.parse('2026-01-02T00:00:00Z');
  const at = (text: string): string => age(`2026-01-${text}Z`, now);
  expect([at('01T23:59:30'), at('01T23:50:00'), at('01T20:00:00')]).toEqual(['30s', '10m', '4h']);
});

it('names a task in a route', () => {
  expect(taskRoute('web/ET-012', 'explain')).toBe('/api/tasks/web/ET-012/explain');
  for (const name of ['web', 'web/', 'a/b/c', '']) expect(() => taskRoute(name)).toThrow(UsageError);
});
