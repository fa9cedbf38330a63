/**
 * The merge attributes of a base branch. git reads `.gitattributes` of a tree only in a work tree, so a bare merge is
 * given those that concern merging as one file, and only built-in drivers: any other would be a program.
 *
 * Texts and directories hold one byte a character (latin1): paths and patterns are bytes to git.
 */
import { parseAttributeLine, type AttributeLine } from './attribute-lines.js';
import { patternBelow, quoted } from './attribute-patterns.js';

export interface AttributesFile {
  /** The directory it is in, without a slash at its end; '' = the top. */
  dir: string;
  text: string;
}

const BYTE_ORDER_MARK = /^\xef\xbb\xbf/;
const DRIVERS = new Set(['text', 'binary', 'union']);

/**
 * One file for the whole tree, in which each line means what it means in its own; null if none steers a merge. Of two
 * that match, git takes the one that is deeper, so the top is first. A word counts where it is `merge`, or a macro
 * that comes to it; macros are only defined at the top. A driver of another name merges as text, as it does for anybody
 * who has not configured it.
 */
export function treeAttributes(files: readonly AttributesFile[]): string | null {
  const sorted = [...files].sort((a, b) => depth(a.dir) - depth(b.dir) || (a.dir < b.dir ? -1 : 1));
  const lines = sorted.flatMap(({ dir, text }) =>
    text
      .replace(BYTE_ORDER_MARK, '')
      .split('\n')
      .flatMap((line) => {
        const parsed = parseAttributeLine(line);
        return parsed === null || (parsed.macro && dir !== '') ? [] : [{ ...parsed, dir }];
      }),
  );
  const steering = steeringNames(lines);
  const shown = lines.flatMap(({ dir, macro, pattern, words }) => {
    const kept = words.filter(({ name }) => steering.has(name)).map(({ name, value }) => shownWord(name, value));
    const where = macro ? `[attr]${pattern}` : patternBelow(dir, pattern);
    // A macro counts also where it is defined anew as something that steers no merge.
    if (where === null || (macro ? !steering.has(pattern) : kept.length === 0)) return [];
    return [{ macro, text: [macro ? where : quoted(where), ...kept].join(' ') }];
  });
  return shown.some(({ macro }) => !macro) ? `${shown.map(({ text }) => text).join('\n')}\n` : null;
}

const depth = (dir: string): number => (dir === '' ? 0 : dir.split('/').length);

/** `merge`, and the macros that set it, also by way of others. git brings `binary`, which a macro may redefine. */
function steeringNames(lines: readonly AttributeLine[]): Set<string> {
  const names = new Set(['merge', 'binary']);
  for (let before = 0; before < names.size;) {
    before = names.size;
    for (const { macro, pattern, words } of lines) {
      if (macro && words.some(({ name }) => names.has(name))) names.add(pattern);
    }
  }
  return names;
}

function shownWord(name: string, value: AttributeLine['words'][number]['value']): string {
  if (value === true) return name;
  if (value === false) return `-${name}`;
  if (value === null) return `!${name}`;
  // Of a macro only being set counts.
  return `${name}=${name !== 'merge' || DRIVERS.has(value) ? value : 'text'}`;
}

const BUILT_IN = new Set(['merge', '-merge', '!merge', 'merge=union', 'merge=text', 'merge=binary', 'binary']);

/**
 * What landings of earlier versions were made with: of the file at the top alone, the lines (and of them the words)
 * that steer built-in merge drivers; null if none do. It stays as it is, else they could not be proven any more.
 * `text` is decoded from UTF-8.
 */
export function topAttributes(text: string): string | null {
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^("(?:[^"\\]|\\.)*"|[^\s#["][^\s]*)\s+(.*)$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined || match[1].startsWith('[attr]')) continue;
    const words = match[2].split(/\s+/).filter((word) => BUILT_IN.has(word));
    if (words.length > 0) lines.push(`${match[1]} ${words.join(' ')}`);
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : null;
}
