/** What a unified diff of git changes, file by file. Content is hostile: a line counts by its place in a hunk alone. */
export interface FileChange {
  /** As git writes it: quoted where it has unusual characters. */
  path: string;
  added: number;
  removed: number;
  binary: boolean;
}

const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

export function diffStat(diff: string): FileChange[] {
  const files: FileChange[] = [];
  let left = { old: 0, new: 0 };
  for (const line of diff.split('\n')) {
    const file = files.at(-1);
    if (file !== undefined && (left.old > 0 || left.new > 0)) {
      if (line.startsWith('\\')) continue; // "No newline at end of file" is no line
      if (line.startsWith('+')) file.added += 1;
      else if (line.startsWith('-')) file.removed += 1;
      left = { old: left.old - (line.startsWith('+') ? 0 : 1), new: left.new - (line.startsWith('-') ? 0 : 1) };
    } else if (line.startsWith('diff --git ')) {
      files.push({ path: secondPath(line.slice('diff --git '.length)), added: 0, removed: 0, binary: false });
    } else if (file !== undefined) {
      const [, before = '1', after = '1'] = HUNK.exec(line) ?? [null, '0', '0'];
      left = { old: Number(before), new: Number(after) };
      if (line.startsWith('rename to ')) file.path = line.slice('rename to '.length);
      if (line.startsWith('Binary files ') || line === 'GIT binary patch') file.binary = true;
    }
  }
  return files;
}

/** `a/x b/x` → `x`: both halves are equal but for the letter (a rename says its name in a line of its own). */
const secondPath = (names: string): string => names.slice((names.length + 1) / 2).replace(/^("?)b\//, '$1');
