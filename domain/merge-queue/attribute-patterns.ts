/** Patterns of `.gitattributes`: moved to the top of the tree, and quoted as C does. Characters are bytes. */

/**
 * The pattern for the top that matches what `pattern` matches in `dir`; null where that is no file. Without a slash it is
 * for any depth, with one it begins in its directory.
 */
export function patternBelow(dir: string, pattern: string): string | null {
  // A slash at the end stands for a directory, and only files are merged.
  if (pattern === '' || pattern.endsWith('/')) return null;
  if (dir === '') return pattern;
  const prefix = dir.replace(/[\\*?[]/g, '\\$&').replace(/^!/, '\\!');
  if (!pattern.includes('/')) return `${prefix}/**/${pattern}`;
  return `${prefix}/${pattern.replace(/^\//, '')}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', '"': '"' },
};

/** What a line that begins with a quoted pattern has in it, and what follows; null where none does. */
export function unquoted(line: string): [string, string] | null {
  const match = /^"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}))*)"/.exec(line);
  if (match?.[1] === undefined) return null;
  const text = match[1].replace(/\\([0-3][0-7]{2}|.)/g, (_, escape: string) =>
    escape.length === 3 ? String.fromCharCode(parseInt(escape, 8)) : (ESCAPES[escape] ?? ''),
  );
  return [text, line.slice(match[0].length)];
}

/** As it may begin a line: quoted where git would read something else. */
export function quoted(pattern: string): string {
  if (!/^["#]|^\[attr\]|[^!-~\x80-\xff]/.test(pattern)) return pattern;
  const inner = pattern.replace(/[^ !-~\x80-\xff]|["\\]/g, (c) =>
    c === '"' || c === '\\' ? `\\${c}` : `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `"${inner}"`;
}
