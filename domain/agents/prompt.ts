/** The prompt file of a run. Title and description are the user's words, unchanged; everything else has a heading. */
import type { Obstacle } from '../conflicts/types.js';
import type { Feedback } from './types.js';

export interface PromptInput {
  task: string;
  title: string;
  description: string;
  stage: string;
  /** The stage's prompt, or what a redo said instead. */
  prompt: string | null;
  /** Path of the document to write, already filled in. */
  artifact: string | null;
  branch: string;
  base: string;
  commits: 'required' | 'optional' | 'forbidden';
  feedback: Feedback[];
  /** What the branch does not merge with as things are; absent = nothing is known. */
  predicted?: readonly Obstacle[];
}

const COMMITS = {
  required: 'Commit your work on the branch: without a commit the stage has failed.',
  optional: 'Commit what you change on the branch.',
  forbidden: 'Change nothing: what you commit is discarded. Give your verdict in the result file.',
};

/** Text of the prompt file: Markdown. */
export function promptText(input: PromptInput): string {
  const instructions = [
    input.prompt,
    input.artifact === null ? null : `Write the document \`${input.artifact}\`.`,
    `You are on branch \`${input.branch}\`; it will land on \`${input.base}\` (here \`origin/${input.base}\`).`,
    COMMITS[input.commits],
  ];
  const stage = `## Stage: ${input.stage}\n\n${instructions.filter((line) => line !== null).join('\n\n')}`;
  const { feedback, predicted = [] } = input;
  const parts = [`# ${input.title}`, input.description, stage, ...feedback.map(section), predictedSection(predicted)];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function section(f: Feedback): string {
  switch (f.kind) {
    case 'finding':
      return `## Findings of ${f.stage}\n\n${f.text}`;
    case 'rejection':
      return `## Rejected: ${f.stage}\n\n${f.text}`;
    case 'answer':
      return `## Answer\n\n${f.question === null ? '' : `Question: ${f.question}\n\n`}${f.text}`;
    case 'fault':
      return `## What went wrong in ${f.stage}\n\n${f.text}`;
    case 'conflict':
      return conflictSection(f);
    case 'red':
      return [
        '## Red check',
        `The check \`${f.check}\` (${f.command.map((word) => `\`${word}\``).join(' ')}) failed. Its last lines:`,
        fenced(f.tail),
      ].join('\n\n');
  }
}

function conflictSection(f: Extract<Feedback, { kind: 'conflict' }>): string {
  const { base, baseOid, origin } = f;
  return [
    '## Conflict',
    `The branch does not merge with \`${base}\`. Merge \`origin/${base}\` and resolve:`,
    f.paths.map((path) => `- \`${path}\``).join('\n'),
    'Keep what both sides are for: neither side is right by itself, and what you resolve is reviewed and checked anew.',
    ...(baseOid === undefined || origin === undefined
      ? []
      : [
          [
            `- base: \`origin/${base}\`, at \`${baseOid}\` when it was tried`,
            `- your branch: \`${origin.head}\``,
            `- their common ancestor: \`${origin.common}\``,
          ].join('\n'),
        ]),
    'As git shows it:',
    fenced(f.hunks),
    ...(origin?.sides ?? []).map(({ path, base: theirs, head: ours }) =>
      [
        `### \`${path}\``,
        `\`${base}\` since the common ancestor:`,
        fenced(theirs === '' ? '(nothing at this path)' : theirs),
        'Your branch since then:',
        fenced(ours === '' ? '(nothing at this path)' : ours),
      ].join('\n\n'),
    ),
  ].join('\n\n');
}

/** A conflict that the queue has not met yet. */
function predictedSection(against: readonly Obstacle[]): string {
  if (against.length === 0) return '';
  const lines = against.map(({ kind, name, oid, paths }) => {
    const what = kind === 'base' ? `\`origin/${name}\`, which is at \`${oid}\`` : `the work of ${name} (\`${oid}\`)`;
    const when = kind === 'base' ? ': merge it and resolve' : ', which is ahead in the merge queue and not here yet';
    return `- ${what}${when}: ${paths.map((path) => `\`${path}\``).join(', ')}`;
  });
  const head = 'As things are, this branch will not merge when it is to land. Mend it while you are at it:';
  return `## Predicted conflict\n\n${head}\n\n${lines.join('\n')}`;
}

/** A code block that no line of the text can close. */
function fenced(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
