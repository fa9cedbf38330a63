/** What a conflict looks like, for the next prompt. */
import type { ConflictFacts } from '../../domain/merge-queue/types.js';
import type { Gate } from './gate.js';

const MAX_HUNKS = 32 * 1024;
const CONTEXT = 3;
/** Bytes of a file beyond which nothing of it is shown: git reads it whole, while others wait for the gate. */
const MAX_SHOWN = 4 * 1024 * 1024;

/** The conflicted regions of `tree`, which git wrote with its markers, with some lines around; cut to 32 KiB. */
export async function conflictHunks(gate: Gate, tree: string, paths: readonly string[]): Promise<string> {
  let out = '';
  for (const path of paths) {
    if (out.length >= MAX_HUNKS) break;
    const size = await gate.run(['cat-file', '-s', `${tree}:${path}`], { answers: [0, 128] });
    // Deleted on one side, or a directory against a file: there is no text to show.
    const small = size.code === 0 && Number(size.stdout) <= MAX_SHOWN;
    const shown = small ? await gate.run(['cat-file', 'blob', `${tree}:${path}`], { answers: [0, 128] }) : null;
    const text = shown?.code === 0 && !shown.stdout.includes('\0') ? regions(shown.stdout) : '';
    out += `--- ${path}\n${text === '' ? '(no text to show: added, deleted, renamed or binary)\n' : text}`;
  }
  return out.slice(0, MAX_HUNKS);
}

/** Paths whose sides are shown, and characters of each side: the prompt has to hold them, and the history before it. */
const SIDES = 8;
const MAX_SIDE = 1500;

/** The conflict with where both sides come from, and what each did to the first of the paths since `common`. */
export async function withOrigin(
  gate: Gate,
  conflict: ConflictFacts,
  { base, common, head }: { base: string; common: string; head: string },
): Promise<ConflictFacts> {
  const sides = [];
  const paths = conflict.paths.slice(0, SIDES);
  const unfit = new Set<string>();
  for (const commit of [base, common, head]) {
    for (const path of await unfitAt(gate, commit, paths)) unfit.add(path);
  }
  for (const path of paths) {
    const change = async (to: string): Promise<string> =>
      unfit.has(path) ? UNFIT : cutSide(await changeOf(gate, common, to, path));
    sides.push({ path, base: await change(base), head: await change(head) });
  }
  return { ...conflict, origin: { head, common, sides } };
}

const UNFIT = '(too large to show, or no file)';

/** Those of the paths that are too large there, or a directory. */
async function unfitAt(gate: Gate, commit: string, paths: readonly string[]): Promise<string[]> {
  const { stdout } = await gate.run(['--literal-pathspecs', 'ls-tree', '-l', '-z', commit, '--', ...paths]);
  return stdout.split('\0').flatMap((line) => {
    const entry = /^\d+ (\w+) [0-9a-f]+ +(\d+|-)\t/.exec(line);
    if (entry === null) return [];
    const fits = entry[1] === 'blob' ? Number(entry[2]) <= MAX_SHOWN : entry[1] === 'commit';
    return fits ? [] : [line.slice(entry[0].length)];
  });
}

/** What happened to one path; '' = nothing, as for one that was renamed away. */
async function changeOf(gate: Gate, from: string, to: string, path: string): Promise<string> {
  const options = ['--no-ext-diff', '--no-textconv', '--no-color', '--no-renames'];
  const shown = await gate.run(['--literal-pathspecs', 'diff', ...options, from, to, '--', path]);
  const lines = shown.stdout.trimEnd().split('\n');
  const begin = lines.findIndex((line) => /^(?:@@|Binary )/.test(line));
  const head = begin < 0 ? lines : lines.slice(0, begin);
  // The rest of the head names the path, which is known.
  const kept = head.filter((line) => /^(?:new file|deleted file|old mode|new mode) /.test(line));
  return [...kept, ...(begin < 0 ? [] : lines.slice(begin))].join('\n');
}

const cutSide = (text: string): string => (text.length > MAX_SIDE ? `${text.slice(0, MAX_SIDE)}\n…` : text);

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
