import type { Command } from 'commander';
import type { List } from '../answers.js';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { age, table } from '../output.js';
import { collect } from '../words.js';

interface TokenAnswer {
  id: string;
  name: string;
  scopes: string[];
  repos: string[] | null;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
}

export function registerTokenCommands(program: Command, context: CommandContext): void {
  const token = program
    .command('token')
    .description('tokens of the API')
    .addHelpText('after', `\nExamples:\n  signalbox token create ci --scope tasks:read --scope tasks:write --repo web`);
  clientCommand(token, 'create', 'make a token; its secret is shown this once')
    .argument('<name>', 'who or what uses it')
    .option('--scope <scope>', 'what it may do (again for more)', collect)
    .option('--repo <id>', 'only this repository (again for more)', collect)
    .option('--expires-at <time>', 'RFC 3339')
    .action((name: string, options: ClientOptions & { scope?: string[]; repo?: string[]; expiresAt?: string }) =>
      withClient(context, options, async ({ client, show }) => {
        const { scope: scopes = [], repo: repos, expiresAt } = options;
        const made = await client.send<TokenAnswer & { secret: string }>('POST', at('tokens'), {
          name,
          scopes,
          repos,
          expiresAt,
        });
        show(made, () => `${made.secret}\n(id ${made.id}; this secret is not shown again)`);
      }),
    );
  clientCommand(token, 'list', 'tokens, without secrets').action((options: ClientOptions) =>
    withClient(context, options, async ({ client, show }) => {
      const list = await client.get<List<TokenAnswer>>(at('tokens'));
      const state = (t: TokenAnswer): string => (t.revokedAt !== null ? 'revoked' : (t.expiresAt ?? 'valid'));
      const used = (t: TokenAnswer): string => (t.lastUsedAt === null ? 'never' : age(t.lastUsedAt));
      const rows = list.items.map((t) => [
        t.id,
        t.name,
        state(t),
        used(t),
        t.repos?.join(',') ?? 'all',
        t.scopes.join(','),
      ]);
      show(list, () => table(['id', 'name', 'state', 'used', 'repos', 'scopes'], rows, 'no tokens'));
    }),
  );
  clientCommand(token, 'revoke', 'end a token, now')
    .argument('<id>')
    .action((id: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const gone = await client.send<TokenAnswer>('DELETE', at('tokens', id));
        show(gone, () => `${gone.name} is revoked`);
      }),
    );
}
