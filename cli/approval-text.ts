/** What a person sees before deciding: all of it, or how much is missing and where it is. */
import { diffStat } from './diff-stat.js';
import { plain, short, table } from './output.js';

/** About four screens: what is longer is read in a pager, not above a question. */
const LINES = 200;

export interface Decidable {
  /** `web/ET-012` */
  task: string;
  stage: string;
  /** The document, by its path; null = the change as a whole is decided on. */
  path: string | null;
  sha: string;
  document: string | null;
  /** Head of the task now, and what it changes. */
  head: string | null;
  diff: string;
}

/** At most `LINES` lines; `more` is the command that shows them all. */
function cut(lines: string[], what: string, more: string): string[] {
  if (lines.length <= LINES) return lines;
  const missing = lines.length - LINES;
  return [...lines.slice(0, LINES), `… ${missing} more ${what} (of ${lines.length}), NOT shown here. All: ${more}`];
}

const linesOf = (text: string): string[] => plain(text).replace(/\n$/, '').split('\n');

export function approvalText({ task, stage, path, sha, document, head, diff }: Decidable): string {
  const showDiff = `signalbox task diff ${task}`;
  const showDocument = `signalbox task artifact ${task} --stage ${stage} --sha ${sha}`;
  const files = diffStat(diff);
  const rows = files.map((f) => [f.path, f.binary ? 'binary' : `+${f.added} -${f.removed}`]);
  const changes = rows.length === 0 ? ['nothing'] : cut(table(['file', 'lines'], rows).split('\n'), 'files', showDiff);
  const later = head === null || head === sha ? '' : ` (the branch is at ${short(head)} by now)`;
  return [
    `${path ?? 'the whole change'} at ${sha}`,
    '',
    ...(document === null ? cut(linesOf(diff), 'lines', showDiff) : cut(linesOf(document), 'lines', showDocument)),
    '',
    `What the branch changes against base${later}: ${files.length} files; read them with ${showDiff}`,
    ...changes,
    '',
  ].join('\n');
}
