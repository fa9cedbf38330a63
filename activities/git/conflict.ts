/** What a conflict looks like, for the next prompt. */
import type { Gate } from './gate.js';

const MAX_HUNKS = 32 * 1024;
const CONTEXT = 3;

/** The conflicted regions of `tree`, which git wrote with its markers, with some lines around; cut to 32 KiB. */
export async function conflictHunks(gate: Gate, tree: string, paths: readonly string[]): Promise<string> {
  let out = '';
  for (const path of paths) {
    if (out.length >= MAX_HUNKS) break;
    const size = await gate.run(['cat-file', '-s', `${tree}:${path}`], { answers: [0, 128] });
    // Deleted on one side, or a directory against a file: there is no text to show.
    const small = size.code === 0 && Number(size.stdout) <= 4 * 1024 * 1024;
    const shown = small ? await gate.run(['cat-file', 'blob', `${tree}:${path}`], { answers: [0, 128] }) : null;
    const text = shown?.code === 0 && !shown.stdout.includes('\0') ? regions(shown.stdout) : '';
    out += `--- ${path}\n${text === '' ? '(no text to show: added, deleted, renamed or binary)\n' : text}`;
  }
  return out.slice(0, MAX_HUNKS);
}

/** Each run of lines from `<<<<<<<` to `>>>>>>>` with its surroundings, headed by its line number. */
export function regions(text: string): string {
  const lines = text.split('\n');
  let out = '';
  let from = -1;
  lines.forEach((line, i) => {
    if (line.startsWith('<<<<<<< ') && from < 0) from = i;
    if (line.startsWith('>>>>>>> ') && from >= 0) {
      const start = Math.max(0, from - CONTEXT);
      out += `@@ line ${start + 1} @@\n${lines.slice(start, i + 1 + CONTEXT).join('\n')}\n`;
      from = -1;
    }
  });
  return out;
}
