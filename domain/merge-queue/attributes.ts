/**
 * The merge attributes of a base branch. git reads `.gitattributes` of a tree only in a work tree, so a bare merge is
 * given those that concern merging, and only built-in drivers: any other would be a program.
 */
const BUILT_IN = new Set(['merge', '-merge', '!merge', 'merge=union', 'merge=text', 'merge=binary', 'binary']);

/** Keeps the lines (and of them the words) that steer built-in merge drivers; null if none do. */
export function mergeAttributes(text: string): string | null {
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^("(?:[^"\\]|\\.)*"|[^\s#["][^\s]*)\s+(.*)$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined || match[1].startsWith('[attr]')) continue;
    const words = match[2].split(/\s+/).filter((word) => BUILT_IN.has(word));
    if (words.length > 0) lines.push(`${match[1]} ${words.join(' ')}`);
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : null;
}
