import fc from 'fast-check';
import { expect, it } from 'vitest';
import { promptText, type PromptInput } from '../../../domain/agents/prompt.js';

const input = (more: Partial<PromptInput> = {}): PromptInput => ({
  task: 'web/ET-012',
  title: 'Add a greeting',
  description: 'It says hello.',
  stage: 'development',
  prompt: 'Build it.',
  artifact: null,
  branch: 'signalbox/ET-012',
  base: 'main',
  commits: 'required',
  feedback: [],
  ...more,
});

it('holds title and description verbatim, whatever they are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (title, description) => {
      const text = promptText(input({ title, description }));
      expect(text).toContain(title);
      expect(text).toContain(description);
    }),
  );
});

it('tells a repair of both sides: where they are, where they come from, and what each did', () => {
  const sides = [{ path: 'a.txt', base: '-old\n+theirs', head: '' }];
  const origin = { head: 'h'.repeat(40), common: 'c'.repeat(40), sides };
  const conflict = {
    kind: 'conflict',
    base: 'main',
    baseOid: 'b'.repeat(40),
    paths: ['a.txt'],
    hunks: '<',
    origin,
  } as const;
  const text = promptText(input({ feedback: [{ ...conflict, paths: ['a.txt'], origin: { ...origin } }] }));
  for (const part of [`at \`${'b'.repeat(40)}\``, `\`${'h'.repeat(40)}\``, `\`${'c'.repeat(40)}\``])
    expect(text).toContain(part);
  expect(text).toContain('### `a.txt`\n\n`main` since the common ancestor:\n\n```\n-old\n+theirs\n```');
  expect(text).toContain('Your branch since then:\n\n```\n(nothing at this path)\n```');
});

it('names a predicted conflict under a heading of its own, and only where there is one', () => {
  expect(promptText(input({ predicted: [] }))).not.toContain('Predicted');
  const predicted = [
    { kind: 'base', name: 'main', oid: 'b1', paths: ['a.txt', 'c.txt'] },
    { kind: 'entry', name: 'web/ET-003', oid: 'e1', paths: ['d.txt'] },
  ] as const;
  const text = promptText(input({ predicted: predicted.map((found) => ({ ...found, paths: [...found.paths] })) }));
  expect(text).toMatch(/^## Predicted conflict$/m);
  expect(text).toContain('- `origin/main`, which is at `b1`: merge it and resolve: `a.txt`, `c.txt`');
  expect(text).toContain(
    '- the work of web/ET-003 (`e1`), which is ahead in the merge queue and not here yet: `d.txt`',
  );
});

it('tells of a conflict with its paths and hunks, and of a red with its command and last lines', () => {
  const text = promptText(
    input({
      feedback: [
        { kind: 'conflict', base: 'main', paths: ['a.txt'], hunks: '<<<<<<<\n```\n=======' },
        { kind: 'red', check: 'unit', command: ['npm', 'test'], tail: 'not ok 1' },
        { kind: 'answer', question: 'Which?', text: 'The first.' },
        { kind: 'rejection', stage: 'approval', text: 'Too long.' },
        { kind: 'finding', stage: 'review', text: 'Off by one.' },
      ],
    }),
  );
  expect(text).toMatch(/^## Conflict$/m);
  expect(text).toContain('- `a.txt`');
  expect(text).toContain('````\n<<<<<<<\n```\n=======\n````');
  expect(text).toMatch(/^## Red check$/m);
  for (const part of ['`unit`', '`npm` `test`', 'not ok 1', 'Which?', 'The first.', 'Too long.', 'Off by one.']) {
    expect(text).toContain(part);
  }
});
