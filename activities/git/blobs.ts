import type { Gate } from './gate.js';

/** For each path its blob in `commit`; null where there is no regular file. */
export async function blobsIn(
  gate: Gate,
  commit: string,
  paths: readonly string[],
): Promise<Record<string, string | null>> {
  const found: Record<string, string | null> = Object.fromEntries(paths.map((p) => [p, null]));
  if (paths.length === 0) return found;
  const { stdout } = await gate.run(['--literal-pathspecs', 'ls-tree', '-z', '--full-tree', commit, '--', ...paths]);
  for (const entry of stdout.split('\0')) {
    const match = /^100\d{3} blob ([0-9a-f]+)\t(.*)$/s.exec(entry);
    if (match?.[1] !== undefined && match[2] !== undefined && match[2] in found) found[match[2]] = match[1];
  }
  return found;
}
