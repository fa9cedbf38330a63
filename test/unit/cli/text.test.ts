import { describe, expect, it } from 'vitest';
import { approvalText } from '../../../cli/approval-text.js';
import { diffStat } from '../../../cli/diff-stat.js';
import { UsageError } from '../../../cli/client.js';
import { lineMarker } from '../../../cli/log-text.js';
import { age, fields, plain, table } from '../../../cli/output.js';
import { taskRoute, whatToType } from '../../../cli/task-text.js';
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

it('marks whole lines, however they arrive', () => {
  let out = '';
  const marked = lineMarker((text) => (out += text));
  for (const part of ['one', ' line\ntw', 'o', '\n\nlast']) marked.add(part);
  expect(out).toBe('stderr| one line\nstderr| two\nstderr| \n');
  marked.end();
  expect(out).toMatch(/\nstderr\| last\n$/);
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
  expect(fields([['why', 'it failed:\n    boom\nstate  done\n']])).toBe(
    'why  it failed:\n         boom\n     state  done',
  );
  const now = Date.parse('2026-01-02T00:00:00Z');
  const at = (text: string): string => age(`2026-01-${text}Z`, now);
  expect([at('01T23:59:30'), at('01T23:50:00'), at('01T20:00:00')]).toEqual(['30s', '10m', '4h']);
});

it('says what to type to whoever is waited for, and to nobody else', () => {
  expect(whatToType('web/ET-001', 'approval')).toMatch(
    /^signalbox task approve web\/ET-001, or: signalbox task reject/,
  );
  expect(whatToType('web/ET-001', 'answer')).toMatch(/^signalbox task answer web\/ET-001 TEXT/);
  for (const kind of ['agent', 'check', null, undefined]) expect(whatToType('web/ET-001', kind)).toBeNull();
});

it('names a task in a route', () => {
  expect(taskRoute('web/ET-012', 'explain')).toBe('/api/tasks/web/ET-012/explain');
  for (const name of ['web', 'web/', 'a/b/c', '']) expect(() => taskRoute(name)).toThrow(UsageError);
});

describe('what is approved', () => {
  const diff = [
    'diff --git a/docs/a b.md b/docs/a b.md',
    'new file mode 100644',
    '--- /dev/null',
    '+++ b/docs/a b.md',
    '@@ -0,0 +1,3 @@',
    '+one',
    '+diff --git a/hidden b/hidden',
    '+@@ -1,99 +1,99 @@',
    'diff --git "a/src/\\303\\274.js" "b/src/\\303\\274.js"',
    '--- "a/src/\\303\\274.js"',
    '+++ "b/src/\\303\\274.js"',
    '@@ -1,3 +1,2 @@ function x() {',
    ' same',
    '--- a/not a header',
    '-gone',
    '+++ b/neither',
    '\\ No newline at end of file',
    'diff --git a/old.txt b/new name.txt',
    'similarity index 100%',
    'rename from old.txt',
    'rename to new name.txt',
    'diff --git a/x.png b/x.png',
    'Binary files a/x.png and b/x.png differ',
    '',
  ].join('\n');
  const what = { task: 'web/ET-001', stage: 'approval', path: 'docs/a.md', sha: 'abc', head: 'abc', diff };

  it('is counted by hunks, whatever the lines say', () => {
    expect(diffStat(diff)).toEqual([
      { path: 'docs/a b.md', added: 3, removed: 0, binary: false },
      { path: '"src/\\303\\274.js"', added: 1, removed: 2, binary: false },
      { path: 'new name.txt', added: 0, removed: 0, binary: false },
      { path: 'x.png', added: 0, removed: 0, binary: true },
    ]);
    expect(diffStat('')).toEqual([]);
  });

  it('is shown whole, with every file that changes', () => {
    const document = Array.from({ length: 200 }, (_, i) => `line ${i}\u001b[2J`).join('\n');
    const text = approvalText({ ...what, document });
    expect(text).toContain('line 199\n');
    expect(text).not.toContain('\u001b');
    for (const path of ['docs/a b.md', 'new name.txt', 'x.png']) expect(text).toContain(path);
    expect(text).not.toContain('more lines');
  });

  it('says what is not shown, and how it is', () => {
    const document = 'line\n'.repeat(500);
    const text = approvalText({ ...what, document, head: 'def' });
    expect(text).toContain('300 more lines (of 500), NOT shown here');
    expect(text).toContain('signalbox task artifact web/ET-001 --stage approval --sha abc');
    expect(text).toContain('the branch is at def by now');
    const whole = approvalText({ ...what, path: null, document: null, diff: `${diff}${diff.repeat(20)}` });
    expect(whole).toContain('All: signalbox task diff web/ET-001');
  });
});
