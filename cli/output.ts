/** What commands print: short aligned tables for people, the API's object for programs. */

import { plain } from '../domain/plain-text.js';

// Text of agents and of other people must not steer the terminal: escape sequences and control characters go.
export { plain };

/** Control characters as they are written in JSON: what was given is seen, and steers no terminal. */
export const visible = (text: string): string =>
  text.replace(/[^\P{C}]|[\u2028\u2029]/gu, (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);

/** Columns aligned, two spaces apart; the head in upper case. Nothing to show = `none`. */
export function table(head: string[], rows: (string | number | null | undefined)[][], none = 'none'): string {
  if (rows.length === 0) return none;
  const cells = [head.map((h) => h.toUpperCase()), ...rows.map((row) => row.map(cell))];
  const widths = head.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)));
  return cells
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const cell = (value: string | number | null | undefined): string =>
  value === null || value === undefined || value === '' ? '-' : plain(String(value)).replaceAll('\n', ' ');

/** Lines of `name  value`, aligned, also where a value has more lines; null values are left out. */
export function fields(pairs: [string, string | number | null | undefined][]): string {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  const indent = ' '.repeat(width + 2);
  return shown
    .map(([name, value]) => `${name.padEnd(width)}  ${plain(String(value)).trimEnd().replaceAll('\n', `\n${indent}`)}`)
    .join('\n');
}

/** `3m`, `2h`, `5d` since a time. */
export function age(since: string, now: number = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(since)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

export const short = (oid: string | null | undefined): string => oid?.slice(0, 10) ?? '-';
