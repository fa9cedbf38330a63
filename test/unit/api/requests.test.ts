import { expect, it } from 'vitest';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { decodeCursor, decodeIdCursor, encodeCursor, page } from '../../../api/pages.js';
import { readRange } from '../../../api/run-log.js';
import { jsonDepth } from '../../../api/strict-json.js';
import { showDuration } from '../../../api/durations.js';
import { hostName } from '../../../api/hosts.js';
import { faultsOf, Later, laterFaults, LaterValues } from '../../../api/validation.js';

it.each([
  ['1', 0],
  ['[]', 1],
  ['{"a":[{"b":"[[[["}]}', 3],
  [String.raw`{"a":"\"[[["}`, 1],
  ['['.repeat(100_000), 100_000],
])('counts the depth of %s', (text, depth) => {
  expect(jsonDepth(text)).toBe(depth);
});

it.each([
  [undefined, null],
  ['bytes=0-', { start: 0, end: 9 }],
  ['bytes=2-4', { start: 2, end: 4 }],
  ['bytes=2-400', { start: 2, end: 9 }],
  ['bytes=-3', { start: 7, end: 9 }],
  ['bytes=-30', { start: 0, end: 9 }],
  ['lines=1-2', null],
  ['bytes=1-2,4-5', null],
])('reads the range %s', (header, range) => {
  expect(readRange(header, 10)).toEqual(range);
});

it.each(['bytes=10-', 'bytes=5-4', 'bytes=-0'])('refuses the range %s', (header) => {
  expect(() => readRange(header, 10)).toThrow(expect.objectContaining({ code: 'range-not-satisfiable' }));
});

it('gives cursors back as they were, and takes no others', () => {
  expect(decodeCursor(encodeCursor(['a', 'b']), 2)).toEqual(['a', 'b']);
  expect(decodeIdCursor(encodeCursor(['12']))).toBe(12);
  for (const cursor of ['', 'x', encodeCursor([12]), encodeCursor(['a']), encodeCursor(['-1']), encodeCursor({})]) {
    expect(() => decodeIdCursor(cursor)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  }
  const of = (n: number) => [String(n)];
  expect(page([1, 2, 3], 2, of)).toEqual({ items: [1, 2], next: encodeCursor(['2']) });
  expect(page([1, 2], 2, of)).toEqual({ items: [1, 2], next: null });
});

const schema = Type.Object(
  {
    name: Type.String({ pattern: '^a+$', description: 'Some `a`, at least one.' }),
    mode: Type.Optional(Type.Union([Type.Literal('on'), Type.Null()])),
    count: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    soon: Later('Soon.'),
    kinds: Type.Optional(Type.Array(Type.Object({ kind: LaterValues(['x'], ['y'], 'A kind.') }))),
  },
  { additionalProperties: false },
);

it('tells what is wrong from what is of later versions', () => {
  const check = Compile(schema);
  const wrong = { name: 'b', other: 1, mode: 'off', count: 'x', kinds: [{ kind: 'z' }] };
  expect(faultsOf(schema, check.Errors(wrong), wrong).map((f) => [f.field, f.message])).toEqual([
    ['other', 'is not a known field'],
    ['name', 'does not fit: Some `a`, at least one'],
    ['mode', 'must be on'],
    ['count', 'must be a whole number'],
    ['kinds[0].kind', 'must be x'],
  ]);
  expect(laterFaults(schema, { name: 'a', soon: null, kinds: [{ kind: 'x' }] })).toEqual([]);
  expect(laterFaults(schema, { name: 'a', soon: [] })).toEqual([]);
  const fields = laterFaults(schema, { name: 'a', soon: 0, kinds: [{ kind: 'x' }, { kind: 'y' }] }).map((f) => f.field);
  expect(fields).toEqual(['soon', 'kinds[1].kind']);
});

it('shows durations as they are written', () => {
  expect([900_000, 7_200_000, 1500, 86_400_000, 100].map(showDuration)).toEqual(['15m', '2h', '1500ms', '1d', '100ms']);
});

it('takes the name from a Host header', () => {
  expect(['LOCALHOST:80', '[::1]:7', 'a.b', 'a b', 'a:b', undefined].map(hostName)).toEqual([
    ...['localhost', '[::1]', 'a.b'],
    ...[null, null, null],
  ]);
});
