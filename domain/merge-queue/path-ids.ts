/** Short ids of paths: what is carried over a continue-as-new has no room for paths, and is only compared. */

/** No path of git begins so. */
const MARK = '/';

/** An id stays what it is. Two paths that share one make somebody wait in vain, which has an end: FNV-1a is enough. */
export function pathId(path: string): string {
  if (path.startsWith(MARK)) return path;
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i += 1) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return `${MARK}${(hash >>> 0).toString(36)}`;
}

/** Lists are never changed in place, and the same ones are compared at every step. */
const seen = new WeakMap<readonly string[], ReadonlySet<string>>();

function idsOf(paths: readonly string[]): ReadonlySet<string> {
  const ids = seen.get(paths) ?? new Set(paths.map(pathId));
  seen.set(paths, ids);
  return ids;
}

/** Those of `paths` that are among the others; in each list there may be paths and ids. */
export function sharedPaths(paths: readonly string[], others: readonly string[]): string[] {
  const ids = idsOf(others);
  return paths.filter((path) => ids.has(path) || ids.has(pathId(path)));
}

export function overlap(some: readonly string[], others: readonly string[]): boolean {
  const ids = idsOf(others);
  for (const id of idsOf(some)) if (ids.has(id)) return true;
  return false;
}
