/** Tasks as commands name and show them. */
import type { TaskAnswer } from './answers.js';
import { at, UsageError } from './client.js';
import { age, fields, plain, short, table } from './output.js';

/** Route of a task by its name `web/ET-012`. */
export function taskRoute(name: string, ...rest: string[]): string {
  const [repo, workItem, ...more] = name.split('/');
  if (!repo || !workItem || more.length > 0) throw new UsageError(`${name}: a task is named like web/ET-012`);
  return at('tasks', repo, workItem, ...rest);
}

/** `answer/question` */
export const waitText = (task: TaskAnswer): string =>
  task.waitingOn === null
    ? ''
    : `${task.waitingOn.kind}${task.waitingOn.code === null ? '' : `/${task.waitingOn.code}`}`;

/** What a person types who is waited for; the same for everybody who may. */
export function whatToType(task: string, kind: string | null | undefined): string | null {
  if (kind === 'approval') return `signalbox task approve ${task}, or: signalbox task reject ${task} --reason TEXT`;
  return kind === 'answer' ? `signalbox task answer ${task} TEXT, or: signalbox task retry ${task}` : null;
}

export function taskTable(tasks: TaskAnswer[]): string {
  const row = (task: TaskAnswer) => [
    task.task,
    task.state,
    task.stage,
    waitText(task),
    age(task.updatedAt),
    task.title,
  ];
  return table(['task', 'state', 'stage', 'waits for', 'since', 'title'], tasks.map(row), 'no tasks');
}

export function taskText(task: TaskAnswer): string {
  const { waitingOn: waits, landed, pullRequest: pull, counters, cost } = task;
  return fields([
    ['task', task.task],
    ['title', task.title],
    ['state', task.state],
    ['stage', task.stage],
    ['waits for', waits && `${waitText(task)} since ${waits.since}: ${waits.detail}`],
    ['document', waits?.artifact && `${waits.artifact.path ?? '(the whole change)'} at ${waits.artifact.sha}`],
    ['unblocked by', waits?.unblockedBy.join(', ')],
    ['comes after', task.dependsOn.map((d) => (d.stack ? `${d.task} (stacked on it)` : d.task)).join(', ') || null],
    ['branch', task.branch],
    ['head', task.head],
    ['ended', task.endReason],
    ['pull request', pull && [pull.url, pull.state && `(${pull.state})`].filter(Boolean).join(' ')],
    ['its forge', pull?.behind && `is behind: ${pull.behind}`],
    ['landed', landed && `${landed.commit} on ${short(landed.base)} at ${landed.at}`],
    ['checkout', landed?.checkoutBehind && `behind: ${landed.checkoutBehind.reason}`],
    ['to mend it', landed?.checkoutBehind?.mendedBy],
    ['counters', `${counters.faults} faults, ${counters.followUps} follow-ups, ${counters.humanWaits} human waits`],
    ['cost', cost.usd > 0 ? `$${cost.usd.toFixed(2)}` : null],
    ['generation', task.generation > 1 ? task.generation : null],
    ['workflow', task.workflowId],
    ['created', task.createdAt],
  ]);
}

export interface ExplainAnswer {
  chain: { kind: string; since: string; until: string | null; detail: string; unblockedBy: string[] }[];
  stale: boolean;
}

export function explainText({ chain, stale }: ExplainAnswer): string {
  if (chain.length === 0) return 'waits for nothing';
  const lines = chain.map((link, i) => {
    const until = link.until === null ? '' : `, until ${link.until}`;
    const by =
      link.unblockedBy.length === 0 ? '' : `\n${'  '.repeat(i + 1)}unblocked by: ${link.unblockedBy.join(', ')}`;
    const detail = link.detail.replaceAll('\n', `\n${'  '.repeat(i)}`);
    return `${'  '.repeat(i)}${link.kind} (${age(link.since)}${until}): ${detail}${by}`;
  });
  return plain(lines.join('\n')) + (stale ? '\n(no worker answered: this is what was last stored)' : '');
}
