import type { Command } from 'commander';
import type { List } from '../answers.js';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { table } from '../output.js';
import { collect, parsePair } from '../words.js';

interface ProfileAnswer {
  name: string;
  adapter: string;
  command: string[];
  model: string | null;
  limits: { wall: string; stall: string };
  sandbox: string;
}

interface SetOptions extends ClientOptions {
  adapter: string;
  env?: string[];
  model?: string;
  effort?: string;
  wall?: string;
  stall?: string;
  sandbox?: string;
}

export function registerAgentProfileCommands(program: Command, context: CommandContext): void {
  const profile = program
    .command('agent-profile')
    .description('how agents are started')
    .addHelpText('after', `\nExamples:\n  signalbox agent-profile set default -- node /opt/agent.mjs`);
  clientCommand(profile, 'set', 'make or replace a profile: agent-profile set NAME -- CMD…')
    .argument('<name>', 'stages refer to it; `default` stands in for all that are missing')
    .argument('<command...>', 'argv of the agent, after --')
    .option('--adapter <adapter>', 'how it is driven', 'command')
    .option('--env <name=value>', 'added to its environment (again for more)', collect)
    .option('--model <model>', 'handed to the agent')
    .option('--effort <effort>', 'handed to the agent')
    .option('--wall <duration>', 'longest run, like 2h')
    .option('--stall <duration>', 'longest silence, like 20m')
    .option('--sandbox <sandbox>', 'auto or none')
    .action((name: string, command: string[], options: SetOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const { adapter, model, effort, wall, stall, sandbox } = options;
        const env = options.env && Object.fromEntries(options.env.map(parsePair));
        const body = { adapter, command, env, model, effort, limits: { wall, stall }, sandbox };
        const stored = await client.send<ProfileAnswer>('PUT', at('agent-profiles', name), body);
        show(stored, () => `${stored.name}  ${stored.command.join(' ')}`);
      }),
    );
  clientCommand(profile, 'list', 'agent profiles').action((options: ClientOptions) =>
    withClient(context, options, async ({ client, show }) => {
      const list = await client.get<List<ProfileAnswer>>(at('agent-profiles'));
      const rows = list.items.map((p) => [
        p.name,
        p.adapter,
        p.model,
        p.limits.wall,
        p.limits.stall,
        p.command.join(' '),
      ]);
      show(list, () => table(['name', 'adapter', 'model', 'wall', 'stall', 'command'], rows, 'no agent profiles'));
    }),
  );
}
