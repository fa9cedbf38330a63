import type { Command } from 'commander';
import type { List } from '../answers.js';
import { at, UsageError } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { fields, table } from '../output.js';
import { readTextFile } from '../text-file.js';
import { collect, parsePair } from '../words.js';

interface HookAnswer {
  id: string;
  source: string;
  secretCount: number;
  projects: Record<string, string>;
  path: string;
}

interface SetOptions extends ClientOptions {
  source: string;
  secretFile: string[];
  project?: string[];
}

/** Arguments are seen by everybody on the machine, so a secret comes out of a file. */
async function readSecret(file: string): Promise<string> {
  const secret = (await readTextFile('--secret-file', file)).trim();
  if (secret === '') throw new UsageError(`--secret-file ${file}: it is empty`);
  return secret;
}

const projectsOf = (projects: Record<string, string>): string =>
  Object.entries(projects)
    .map(([project, repo]) => `${project} is ${repo}`)
    .join(', ') || 'none';

const hookText = (hook: HookAnswer): string =>
  fields([
    ['hook', hook.id],
    ['source', hook.source],
    ['deliver to', hook.path],
    ['secrets', String(hook.secretCount)],
    ['projects', projectsOf(hook.projects)],
  ]);

export function registerHookCommands(program: Command, context: CommandContext): void {
  const hook = program
    .command('hook')
    .description('deliveries of forges about statuses')
    .addHelpText(
      'after',
      `\nExamples:\n  signalbox hook set ci --source github --secret-file ./secret --project acme/web=web`,
    );
  clientCommand(hook, 'set', 'make or replace a hook')
    .argument('<id>', 'short name, like ci')
    .requiredOption('--source <source>', 'github, gitea (also Forgejo) or gitlab (required)')
    .requiredOption(
      '--secret-file <file>',
      'what deliveries are signed with; - is standard input (again for a second)',
      collect,
    )
    .option('--project <project=repo>', 'owner/name at the forge, and the repository it is (again for more)', collect)
    .action((id: string, options: SetOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const secrets: string[] = [];
        for (const file of options.secretFile) secrets.push(await readSecret(file));
        const projects = Object.fromEntries((options.project ?? []).map(parsePair));
        const stored = await client.send<HookAnswer>('PUT', at('hooks', id), {
          source: options.source,
          secrets,
          projects,
        });
        show(stored, () => hookText(stored));
      }),
    );
  clientCommand(hook, 'list', 'hooks, without secrets').action((options: ClientOptions) =>
    withClient(context, options, async ({ client, show }) => {
      const list = await client.get<List<HookAnswer>>(at('hooks'));
      const rows = list.items.map((h) => [h.id, h.source, h.path, projectsOf(h.projects)]);
      show(list, () => table(['id', 'source', 'deliver to', 'projects'], rows, 'no hooks'));
    }),
  );
  clientCommand(hook, 'remove', 'take no more deliveries')
    .argument('<id>')
    .action((id: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const gone = await client.send<HookAnswer>('DELETE', at('hooks', id));
        show(gone, () => `${id} takes no more deliveries`);
      }),
    );
}
