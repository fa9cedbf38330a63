import type { Command } from 'commander';
import type { List } from '../answers.js';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { age, table } from '../output.js';

interface HostAnswer {
  id: string;
  pid: number;
  agentSlots: number;
  checkSlots: number;
  lastSeenAt: string;
  stoppedAt: string | null;
  live: boolean;
}

export function registerHostsCommand(program: Command, context: CommandContext): void {
  clientCommand(program, 'hosts', 'machines that run agents, checks and git').action((options: ClientOptions) =>
    withClient(context, options, async ({ client, show }) => {
      const list = await client.get<List<HostAnswer>>(at('hosts'));
      const state = (host: HostAnswer): string =>
        host.live ? 'online' : host.stoppedAt === null ? 'offline' : 'stopped';
      const rows = list.items.map((host) => [
        ...[host.id, state(host), host.pid, host.agentSlots, host.checkSlots],
        age(host.lastSeenAt),
      ]);
      show(list, () => table(['host', 'state', 'pid', 'agents', 'checks', 'seen'], rows, 'no hosts yet'));
    }),
  );
}
