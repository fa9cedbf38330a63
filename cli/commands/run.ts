import type { Command } from 'commander';
import type { RunAnswer } from '../answers.js';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { logCommand, showLog, type LogOptions } from '../log-text.js';
import { fields } from '../output.js';

export function registerRunCommands(program: Command, context: CommandContext): void {
  const run = program
    .command('run')
    .description('runs of agents')
    .addHelpText('after', `\nExamples:\n  signalbox run show RUN\n  signalbox run log RUN --follow`);
  clientCommand(run, 'show', 'one run')
    .argument('<id>')
    .action((id: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const found = await client.get<RunAnswer>(at('runs', id));
        show(found, () =>
          fields([
            ['run', found.id],
            ['task', found.task],
            ['stage', `${found.stage}, attempt ${found.attempt}`],
            ['agent', found.agent],
            ['status', found.status],
            ['failure', found.failureClass],
            ['exit code', found.exitCode],
            ['cost', found.costUsd === null ? 'unknown' : `$${found.costUsd.toFixed(2)}`],
            ['host', found.pid === null ? found.host : `${found.host}, pid ${found.pid}`],
            ['started', found.startedAt],
            ['finished', found.finishedAt],
          ]),
        );
      }),
    );
  logCommand(run, 'log', 'output of a run')
    .argument('<id>')
    .action((id: string, options: ClientOptions & LogOptions) =>
      withClient(context, options, (session) => showLog(session, at('runs', id, 'log'), options)),
    );
}
