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
