import type { Command } from 'commander';
import type { CheckAnswer, List } from '../answers.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { showCheckLog, type LogOptions } from '../log-text.js';
import { age, table } from '../output.js';
import { taskRoute } from '../task-text.js';

export function registerCheckCommands(program: Command, context: CommandContext): void {
  const check = program.command('check').description('executions of checks');
  clientCommand(check, 'list', 'executions of checks for a task, oldest first')
    .argument('<task>', 'like web/ET-012')
    .action((name: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const list = await client.get<List<CheckAnswer>>(taskRoute(name, 'checks'));
        const rows = list.items.map((c) => [c.id, c.status, c.startedAt && age(c.startedAt), c.error]);
        show(list, () => table(['check', 'status', 'begun', 'error'], rows, `no check ran for ${name} yet`));
      }),
    );
  clientCommand(check, 'log', 'output of an execution of checks')
    .argument('<id>', 'as check list names it')
    .option('--follow', 'stay and show new output')
    .option('--setup', 'what the setup before it printed')
    .action((id: string, options: ClientOptions & LogOptions) =>
      withClient(context, options, (session) => showCheckLog(session, id, options)),
    );
}
