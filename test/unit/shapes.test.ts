import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  argumentsFault,
  count,
  flag,
  kinds,
  listOf,
  nullable,
  object,
  oneOf,
  optional,
  text,
} from '../../domain/shapes.js';

const entry = object({
  id: text,
  tries: count,
  fix: flag,
  by: nullable(text),
  paths: listOf(text),
  note: optional(text),
});
const outcome = kinds({ landed: { at: text }, refused: { reason: text } });
const sound = { id: 'e', tries: 1, fix: false, by: null, paths: ['a'] };

it.each([
  [sound, null],
  [{ ...sound, note: 'x', more: 1 }, null],
  [{ ...sound, tries: Number.NaN }, 'argument 1.tries is no number'],
  [{ ...sound, by: undefined }, 'argument 1.by is no text'],
  [{ ...sound, paths: ['a', 7] }, 'argument 1.paths[1] is no text'],
  [{ ...sound, paths: { 0: 'a' } }, 'argument 1.paths is no list'],
  [{ ...sound, fix: 'yes' }, 'argument 1.fix is neither true nor false'],
  [null, 'argument 1 is no object'],
  [undefined, 'argument 1 is no object'],
  [[], 'argument 1 is no object'],
])('%j: %s', (value, fault) => {
  expect(argumentsFault([value], [entry])).toBe(fault);
});

it('asks an object of a kind for the fields of that kind alone', () => {
  expect(outcome({ kind: 'landed', at: 'now' }, 'it')).toBeNull();
  expect(outcome({ kind: 'landed', reason: 'x' }, 'it')).toBe('it.at is no text');
  expect(outcome({ kind: 'toString' }, 'it')).toBe('it.kind is none of landed, refused');
  expect(oneOf(['a', 'b'])('c', 'it')).toBe('it is none of a, b');
});

it('says something of any value, and throws at none', () => {
  fc.assert(
    fc.property(fc.array(fc.anything()), (args) => {
      const fault = argumentsFault(args, [entry, outcome, optional(entry)]);
      expect(fault === null || fault.startsWith('argument ')).toBe(true);
    }),
  );
});
