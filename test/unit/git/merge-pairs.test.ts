import { expect, test } from 'vitest';
import { parseMerges } from '../../../activities/git/merge-pairs.js';

const pairs = ['1', '2', '3'].map((b) => ({ a: '0', b }));
const [CLEAN, CONFLICT] = ['1\0tree\0\0', '0\0tree\0a.txt\0b c\n.txt\0a.txt\0\0'];

test('answers follow their pairs, and a path is named once', () => {
  expect(parseMerges(`${CLEAN}${CONFLICT}${CLEAN}`, pairs)).toEqual([
    { a: '0', b: '1', kind: 'clean', paths: [] },
    { a: '0', b: '2', kind: 'conflict', paths: ['a.txt', 'b c\n.txt'] },
    { a: '0', b: '3', kind: 'clean', paths: [] },
  ]);
});

test('an answer that was cut off anywhere is none', () => {
  for (let length = 0; length < CONFLICT.length; length += 1) {
    const kinds = parseMerges(`${CLEAN}${CONFLICT.slice(0, length)}`, pairs).map(({ kind }) => kind);
    expect(kinds, String(length)).toEqual(['clean']);
  }
});

test('what is no answer is no conflict', () => {
  for (const wrong of ['-1\0tree\0\0', '\0tree\0\0', '2\0tree\0\0', '1\0tree\0a.txt\0\0', CLEAN.repeat(4)]) {
    expect(() => parseMerges(wrong, pairs)).toThrow(/merge-tree answered/);
  }
});
