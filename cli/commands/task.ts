import { Option, type Command } from 'commander';
import type { List, TaskAnswer } from '../answers.js';
import { at, UsageError } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext, type Session } from '../context.js';
import { logCommand, showCheckLog, showLog, type LogOptions } from '../log-text.js';
import { wholeNumber } from '../options.js';
import { plain } from '../output.js';
import { explainText, taskRoute, taskTable, taskText, waitText, whatToType, type ExplainAnswer } from '../task-text.js';
import { FAILURE_POLICIES } from '../../domain/pipeline/dependencies.js';
import { readPipelineFile } from '../pipeline-file.js';
import { previewText, type PreviewAnswer } from '../preview-text.js';
import { collect } from '../words.js';
import { registerTaskDecisions } from './task-decisions.js';
import { descriptionOf, registerTaskRecords } from './task-records.js';
import { waitForTask, watchTasks } from './task-watch.js';

interface SubmitOptions extends ClientOptions {
  repo: string;
  title: string;
  description?: string;
  descriptionFile?: string;
  dependsOn?: string[];
  stackOn?: string;
  onFailure?: string;
  priority?: string;
  branch?: string;
  number?: number;
  source?: string;
  externalId?: string;
  pipeline?: string;
  maxAttempts?: number;
  wait?: boolean;
}

function dependenciesOf({ dependsOn = [], stackOn, onFailure }: SubmitOptions): unknown[] | undefined {
  const on = stackOn === undefined ? [] : [{ task: stackOn, onFailure, stack: true }];
  const all = [...dependsOn.map((task) => ({ task, onFailure })), ...on];
  return all.length === 0 ? undefined : all;
}

async function submitBody(options: SubmitOptions): Promise<Record<string, unknown>> {
  const description = await descriptionOf(options);
  const { repo, title, priority, branch, number, source, externalId, maxAttempts } = options;
  return {
    ...{
      repo,
      title,
      description,
      dependsOn: dependenciesOf(options),
      priority,
      branch,
      number,
      source,
      externalId,
      maxAttempts,
    },
    pipeline: options.pipeline === undefined ? undefined : await readPipelineFile(options.pipeline),
  };
}

const sayWait = (session: Session) => (task: TaskAnswer) => {
  session.note(`${task.task}  ${task.state}  ${task.stage}  ${waitText(task)}`.trimEnd());
  const type = whatToType(task.task, task.waitingOn?.kind);
  if (type !== null) session.note(`  it waits for you; in another terminal: ${type}`);
};

export function registerTaskCommands(program: Command, context: CommandContext): void {
  const task = program
    .command('task')
    .description('hand in tasks and follow them')
    .addHelpText(
      'after',
      `\nExamples:\n  signalbox task submit --repo web --title "Say hello" --wait\n  signalbox task explain web/ET-001\n  signalbox task approve web/ET-001`,
    );
  clientCommand(task, 'submit', 'hand in a task')
    .requiredOption('--repo <id>', 'repository (required)')
    .requiredOption('--title <text>', 'one line (required)')
    .option('--description <text>', 'what to do')
    .option('--description-file <file>', 'what to do, from a file (- = standard input)')
    .option('--depends-on <task>', 'a task that must be done before (more than one: say it again)', collect)
    .option('--stack-on <task>', 'begin with the work of this task once it is in the merge queue, and land after it')
    .addOption(
      new Option('--on-failure <what>', 'when one of them is cancelled or fails (default: wait)').choices([
        ...FAILURE_POLICIES,
      ]),
    )
    .option('--priority <priority>', 'low, normal, high or urgent (default: normal)')
    .option('--branch <name>', 'work on this branch')
    .option('--number <n>', 'the tracker’s own number', wholeNumber(1, 999_999_999))
    .option('--source <name>', 'tracker; with --external-id the task exists once')
    .option('--external-id <id>', 'the tracker’s id')
    .option('--pipeline <file>', 'stages of this task alone (YAML or JSON)')
    .option('--max-attempts <n>', 'faults allowed per stage', wholeNumber(1, 100))
    .option('--wait', 'stay until it is over; exit 1 unless it is done')
    .action((options: SubmitOptions) =>
      withClient(context, options, async (session) => {
        let made = await session.client.send<TaskAnswer>('POST', at('tasks'), await submitBody(options));
        if (options.wait === true) {
          made = await waitForTask(session.client, taskRoute(made.task), sayWait(session));
          if (made.state !== 'done') context.setExitCode(1);
        }
        session.show(made, () => (options.wait === true ? taskText(made) : `${made.task}  ${made.state}`));
      }),
    );
  clientCommand(task, 'list', 'tasks, newest first')
    .option('--repo <id>', 'only of this repository')
    .option('--state <state>', 'queued, running, waiting, done, failed or cancelled')
    .option('--stage <stage>', 'only in this stage')
    .option('--limit <n>', 'how many', wholeNumber(1, 500), 50)
    .option('--cursor <cursor>', 'next page')
    .action(
      (options: ClientOptions & { repo?: string; state?: string; stage?: string; limit: number; cursor?: string }) =>
        withClient(context, options, async ({ client, show }) => {
          const { repo, state, stage, limit, cursor } = options;
          const list = await client.get<List<TaskAnswer>>(at('tasks'), { repo, state, stage, limit, cursor });
          show(list, () => taskTable(list.items) + (list.next === null ? '' : `\nmore: --cursor ${list.next}`));
        }),
    );
  clientCommand(task, 'show', 'one task')
    .argument('<task>', 'like web/ET-012')
    .action((name: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const found = await client.get<TaskAnswer>(taskRoute(name));
        show(found, () => taskText(found));
      }),
    );
  clientCommand(task, 'explain', 'what a task waits for, as a chain')
    .argument('<task>', 'like web/ET-012')
    .action((name: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const answer = await client.get<ExplainAnswer>(taskRoute(name, 'explain'));
        show(answer, () => explainText(answer));
      }),
    );
  clientCommand(task, 'diff', 'what a task changes')
    .argument('<task>', 'like web/ET-012')
    .action((name: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, json, show, write }) => {
        const diff = await client.text(taskRoute(name, 'diff'), { against: 'base' });
        if (json) show({ diff }, () => '');
        else write(plain(diff));
      }),
    );
  clientCommand(task, 'preview', 'what landing a task now would come to')
    .argument('<task>', 'like web/ET-012')
    .action((name: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const preview = await client.get<PreviewAnswer>(taskRoute(name, 'merge-preview'));
        show(preview, () => previewText(preview));
      }),
    );
  clientCommand(task, 'artifact', 'the document that a stage of a task wrote')
    .argument('<task>', 'like web/ET-012')
    .option('--stage <stage>', 'the stage, or the approval of it (default: where the task is)')
    .option('--sha <oid>', 'as it was in this commit (default: the one that waits, else the newest)')
    .action((name: string, options: ClientOptions & { stage?: string; sha?: string }) =>
      withClient(context, options, async ({ client, json, show, write }) => {
        const stage = options.stage ?? (await client.get<TaskAnswer>(taskRoute(name))).stage;
        const document = await client.text(taskRoute(name, 'artifacts', stage), { sha: options.sha });
        if (json) show({ document }, () => '');
        else write(plain(document));
      }),
    );
  logCommand(task, 'log', 'output of the newest run of a task')
    .argument('<task>', 'like web/ET-012')
    .option('--check', 'output of the newest check of the task instead')
    .action((name: string, options: ClientOptions & LogOptions & { check?: boolean }) =>
      withClient(context, options, async (session) => {
        if (options.check === true) {
          const checks = await session.client.get<List<{ id: string }>>(taskRoute(name, 'checks'));
          const newest = checks.items.at(-1);
          if (newest === undefined) throw new UsageError(`no check ran for ${name} yet`);
          await showCheckLog(session, newest.id, options);
          return;
        }
        const runs = await session.client.get<List<{ id: string }>>(taskRoute(name, 'runs'));
        const run = runs.items.at(-1);
        if (run === undefined) throw new UsageError(`${name} has no run yet`);
        await showLog(session, at('runs', run.id, 'log'), options);
      }),
    );
  clientCommand(task, 'watch', 'changes as they happen, of one task or of all')
    .argument('[task]', 'like web/ET-012; ends when it is over')
    .action((name: string | undefined, options: ClientOptions) =>
      withClient(context, options, (session) =>
        watchTasks(session, name === undefined ? null : taskRoute(name), name ?? null),
      ),
    );
  registerTaskRecords(task, context);
  registerTaskDecisions(task, context);
}
