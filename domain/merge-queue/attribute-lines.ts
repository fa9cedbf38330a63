/** Lines of a `.gitattributes` file, read as git's attr.c reads them. Characters are bytes. */
import { unquoted } from './attribute-patterns.js';

export interface AttributeLine {
  /** A definition; `pattern` is its name then. */
  macro: boolean;
  pattern: string;
  /** `name`, `-name`, `!name`, `name=value`. */
  words: { name: string; value: true | false | null | string }[];
}

/** git leaves out longer lines, counted in bytes. */
const MAX_LINE = 2048;
const MACRO = '[attr]';
const NAME = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;

/** Null for what git takes for no rule: comments, lines with a name that is none, and patterns with `!`. */
export function parseAttributeLine(raw: string): AttributeLine | null {
  // Not \s: it has bytes that are parts of UTF-8 characters.
  const line = raw.replace(/^[ \t\r]+|[ \t\r]+$/g, '');
  if (line === '' || line.startsWith('#') || raw.length >= MAX_LINE) return null;
  const [first, rest] = unquoted(line) ?? split(line);
  const macro = first.length > MACRO.length && first.startsWith(MACRO);
  const pattern = macro ? split(first.slice(MACRO.length).replace(/^[ \t\r]+/, ''))[0] : first;
  if (macro ? !NAME.test(pattern) : pattern.startsWith('!')) return null;
  const words = rest.split(/[ \t\r]+/).filter((word) => word !== '');
  const parsed = words.map(parseWord);
  return parsed.some(({ name }) => !NAME.test(name)) ? null : { macro, pattern, words: parsed };
}

function split(line: string): [string, string] {
  const end = line.search(/[ \t\r]/);
  return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end)];
}

function parseWord(word: string): AttributeLine['words'][number] {
  const equals = word.indexOf('=');
  const full = equals < 0 ? word : word.slice(0, equals);
  if (full.startsWith('-')) return { name: full.slice(1), value: false };
  if (full.startsWith('!')) return { name: full.slice(1), value: null };
  return { name: full, value: equals < 0 ? true : word.slice(equals + 1) };
}
