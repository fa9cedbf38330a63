import { UsageError } from './client.js';

/**
 * Splits a command line into argv as a shell would, quotes and backslashes included. What only a shell could do is
 * refused instead of being taken literally.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  const pattern = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\|&;<>()$`]+)|(.)/gs;
  let word: string | null = null;
  for (const match of text.matchAll(pattern)) {
    const [whole, single, double, escaped, bare, other] = match;
    if (other !== undefined) {
      throw new UsageError(`${JSON.stringify(other)} in ${JSON.stringify(text)} needs a shell: write sh -c '…'`);
    }
    const piece = single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? bare;
    if (piece !== undefined) word = (word ?? '') + piece;
    else if (/^\s+$/.test(whole) && word !== null) {
      words.push(word);
      word = null;
    }
  }
  if (word !== null) words.push(word);
  if (words.length === 0) throw new UsageError('a command is needed');
  return words;
}

/** `unit=npm test` → name and argv. */
export function parseNamedCommand(text: string): { name: string; command: string[] } {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`${JSON.stringify(text)}: write NAME=COMMAND`);
  return { name: text.slice(0, at).trim(), command: splitWords(text.slice(at + 1)) };
}

/** `A=1` → ['A', '1'] */
export function parsePair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`${JSON.stringify(text)}: write NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** For options that may be given again and again. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value];
