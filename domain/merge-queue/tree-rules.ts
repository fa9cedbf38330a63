/** What a change of an agent may put into a tree. Each rule gives the reason in words, or null. */

const MAX_PATH = 2048;
const MAX_NAME = 255;
/** Code points that HFS+ ignores in names: `.g\u200cit` is `.git` there. */
const IGNORED = /\p{Cf}/gu;

/** A name that some file system takes for `.git`. */
function isDotGit(name: string): boolean {
  const folded = name.replace(IGNORED, '').toLowerCase();
  return /^\.git[. ]*(?::.*)?$/.test(folded) || /^git~\d+[. ]*(?::.*)?$/.test(folded);
}

/** `path` is decoded from UTF-8; U+FFFD stands for bytes that are none. */
export function pathFault(path: string): string | null {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_PATH) return `a path of ${bytes} bytes (at most ${MAX_PATH})`;
  if (/\p{Cc}/u.test(path)) return `a path with control characters: ${JSON.stringify(path)}`;
  if (path.includes('\uFFFD')) return `a path that is not UTF-8: ${JSON.stringify(path)}`;
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..') return `a path that is not plain: ${JSON.stringify(path)}`;
    if (new TextEncoder().encode(name).length > MAX_NAME) return `a name over ${MAX_NAME} bytes in a path`;
    if (isDotGit(name)) return `a path that can be taken for .git: ${JSON.stringify(path)}`;
  }
  return null;
}

/**
 * A symbolic link must stay inside the tree by its words alone: relative, `..` only at the start (behind another link
 * it would mean another place), no more of them than directories above it.
 */
export function linkFault(path: string, target: string): string | null {
  const shown = `${JSON.stringify(path)} -> ${JSON.stringify(target.slice(0, 200))}`;
  if (target === '' || target.includes('\0') || target.length > MAX_PATH) return `a broken symbolic link ${shown}`;
  if (target.startsWith('/') || /^[A-Za-z]:|\\/.test(target)) return `an absolute symbolic link ${shown}`;
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const ups = parts.findIndex((part) => part !== '..');
  const leading = ups < 0 ? parts.length : ups;
  if (parts.slice(leading).includes('..')) return `a symbolic link with '..' in the middle ${shown}`;
  if (leading > path.split('/').length - 1) return `a symbolic link that leaves the tree ${shown}`;
  if (parts.some(isDotGit)) return `a symbolic link into .git ${shown}`;
  return null;
}
