import type { Command } from 'commander';
import { approvalText } from '../approval-text.js';
import type { DecidedTask, TaskAnswer } from '../answers.js';
import { ApiError, UsageError, type Client } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext, type Session } from '../context.js';
import { short } from '../output.js';
import { taskRoute, taskText } from '../task-text.js';

interface DecideOptions extends ClientOptions {
  stage?: string;
  sha?: string;
  reason?: string;
  yes?: boolean;
  final?: boolean;
}

/** What is decided on: the commit that was named, else the one that waits, shown before anybody is asked. */
async function current(
  session: Session,
  name: string,
  options: DecideOptions,
): Promise<{ stage: string; sha: string; shown: boolean }> {
  if (options.sha !== undefined && options.stage !== undefined) {
    return { stage: options.stage, sha: options.sha, shown: false };
  }
  const task = await session.client.get<TaskAnswer>(taskRoute(name));
  const stage = options.stage ?? task.stage;
  if (options.sha !== undefined) return { stage, sha: options.sha, shown: false };
  const artifact = task.waitingOn?.kind === 'approval' ? task.waitingOn.artifact : null;
  if (artifact == null)
    throw new UsageError(`${name} does not wait for an approval: it is ${task.state} in ${task.stage}`);
  const { path, sha } = artifact;
  const [diff, document] = await Promise.all([
    session.client.text(taskRoute(name, 'diff'), { against: 'base' }),
    path === null ? null : documentText(session.client, name, stage, sha),
  ]);
  session.note(approvalText({ task: name, stage, path, sha, document, head: task.head, diff }));
  return { stage, sha, shown: true };
}

/** A document that is not there can be sent back all the same. */
async function documentText(client: Client, name: string, stage: string, sha: string): Promise<string> {
  try {
    return await client.text(taskRoute(name, 'artifacts', stage), { sha });
  } catch (err) {
    if (!(err instanceof ApiError) || err.status !== 404) throw err;
    return `(${err.message})`;
  }
}

async function confirm(context: CommandContext, options: DecideOptions, question: string): Promise<void> {
  if (options.yes === true) return;
  if (context.ask === null) throw new UsageError('nobody can be asked here: give --yes, or --stage and --sha');
  const answer = await context.ask(`${question} [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('nothing was decided');
}

export function registerTaskDecisions(task: Command, context: CommandContext): void {
  for (const verdict of ['approve', 'reject'] as const) {
    const command = clientCommand(task, verdict, verdict === 'approve' ? 'approve what waits' : 'send the work back')
      .argument('<task>', 'like web/ET-012')
      .option('--stage <stage>', 'approval stage (default: the one that waits)')
      .option('--sha <oid>', 'the commit that was read (default: the one that waits, shown first)')
      .option('--reason <text>', 'why')
      .option('--yes', 'do not ask');
    if (verdict === 'reject') command.option('--final', 'cancel the task instead');
    command.action((name: string, options: DecideOptions) =>
      withClient(context, options, async (session) => {
        const { stage, sha, shown } = await current(session, name, options);
        if (shown) await confirm(context, options, `${verdict} ${stage} of ${name} at ${short(sha)}?`);
        const { reason, final } = options;
        const decided = await session.client.send<DecidedTask>('POST', taskRoute(name, verdict), {
          stage,
          sha,
          reason,
          final,
        });
        const { decision } = decided;
        session.show(decided, () => `${name}  ${decision.verdict} by ${decision.by} at ${decision.at}`);
      }),
    );
  }
  const simple = (name: string, description: string) =>
    clientCommand(task, name, description).argument('<task>', 'like web/ET-012');
  const send = (session: Session, name: string, action: string, body: unknown): Promise<void> =>
    session.client.send<TaskAnswer>('POST', taskRoute(name, action), body).then((found) => {
      session.show(found, () => taskText(found));
    });
  simple('answer', 'answer what a task asks')
    .argument('<text...>', 'the answer')
    .action((name: string, words: string[], options: ClientOptions) =>
      withClient(context, options, (session) => send(session, name, 'answer', { text: words.join(' ') })),
    );
  simple('cancel', 'cancel a task')
    .option('--reason <text>', 'why')
    .action((name: string, options: ClientOptions & { reason?: string }) =>
      withClient(context, options, (session) => send(session, name, 'cancel', { reason: options.reason })),
    );
  simple('retry', 'try again with a fresh budget').action((name: string, options: ClientOptions) =>
    withClient(context, options, (session) => send(session, name, 'retry', {})),
  );
  simple('redo', 'do the work again from a stage on')
    .requiredOption('--stage <stage>', 'where to begin (required)')
    .option('--agent <profile>', 'another agent profile')
    .option('--model <model>', 'another model')
    .option('--effort <effort>', 'another effort')
    .option('--prompt <text>', 'added to the prompt')
    .action(
      (
        name: string,
        options: ClientOptions & { stage: string; agent?: string; model?: string; effort?: string; prompt?: string },
      ) =>
        withClient(context, options, (session) => {
          const { stage, agent, model, effort, prompt } = options;
          return send(session, name, 'redo', { stage, agent, model, effort, prompt });
        }),
    );
}
