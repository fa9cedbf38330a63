/** What is on record of a task, and what may be changed of it while it is not over. */
import type { Command } from 'commander';
import type { List, RunAnswer, TaskAnswer } from '../answers.js';
import { UsageError } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { wholeNumber } from '../options.js';
import { table } from '../output.js';
import { taskRoute, taskText } from '../task-text.js';
import { readTextFile } from '../text-file.js';

interface ChangeOptions extends ClientOptions {
  title?: string;
  description?: string;
  descriptionFile?: string;
  priority?: string;
}

interface TimelineOptions extends ClientOptions {
  limit: number;
  cursor?: string;
}

interface TaskEvent {
  at: string;
  kind: string;
  data: { type?: string; state?: string; stage?: string; detail?: string | null };
}

/** Where both may be given only one is meant; undefined = neither. */
export async function descriptionOf(options: {
  description?: string | undefined;
  descriptionFile?: string | undefined;
}): Promise<string | undefined> {
  const { description, descriptionFile } = options;
  if (description !== undefined && descriptionFile !== undefined) {
    throw new UsageError('give --description or --description-file, not both');
  }
  return descriptionFile === undefined ? description : readTextFile('--description-file', descriptionFile);
}

export function registerTaskRecords(task: Command, context: CommandContext): void {
  clientCommand(task, 'change', 'change what is given of a task that is not over; the rest stays')
    .argument('<task>', 'like web/ET-012')
    .option('--title <text>', 'one line')
    .option('--description <text>', 'what to do')
    .option('--description-file <file>', 'what to do, from a file (- = standard input)')
    .option('--priority <priority>', 'low, normal, high or urgent')
    .action((name: string, options: ChangeOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const body = { title: options.title, description: await descriptionOf(options), priority: options.priority };
        if (Object.values(body).every((value) => value === undefined))
          throw new UsageError('say what to change: --title, --description, --description-file or --priority');
        const changed = await client.send<TaskAnswer>('PATCH', taskRoute(name), body);
        show(changed, () => taskText(changed));
      }),
    );
  clientCommand(task, 'timeline', 'what happened to a task, oldest first')
    .argument('<task>', 'like web/ET-012')
    .option('--limit <n>', 'how many', wholeNumber(1, 500), 100)
    .option('--cursor <cursor>', 'next page')
    .action((name: string, options: TimelineOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const { limit, cursor } = options;
        const list = await client.get<List<TaskEvent>>(taskRoute(name, 'timeline'), { limit, cursor });
        const rows = list.items.map(({ at, kind, data }) => [
          at,
          data.type ?? kind,
          data.state,
          data.stage,
          data.detail,
        ]);
        const more = list.next === null ? '' : `\nmore: --cursor ${list.next}`;
        show(list, () => table(['at', 'what', 'state', 'stage', 'detail'], rows, 'nothing yet') + more);
      }),
    );
  clientCommand(task, 'runs', 'runs of agents for a task, oldest first')
    .argument('<task>', 'like web/ET-012')
    .action((name: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const list = await client.get<List<RunAnswer>>(taskRoute(name, 'runs'));
        const rows = list.items.map((run) => [
          ...[run.id, run.stage, run.attempt, run.agent, run.status, run.failureClass, run.exitCode],
          run.startedAt,
        ]);
        const head = ['run', 'stage', 'try', 'agent', 'status', 'failure', 'exit', 'started'];
        show(list, () => table(head, rows, 'no runs yet'));
      }),
    );
}
