import path from 'node:path';
import type { Command } from 'commander';
import type { List, RepoAnswer } from '../answers.js';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { fields, table } from '../output.js';
import { readPipelineFile } from '../pipeline-file.js';
import { collect, parseNamedCommand, splitWords } from '../words.js';

interface AddOptions extends ClientOptions {
  remote: string;
  base: string;
  prefix?: string;
  check?: string[];
  strategy?: string;
  setup?: string;
  auth?: string;
  authRef?: string;
  checkout?: string;
  pipeline?: string;
}

/** A path is meant from here; anything that looks like an address stays as it is. */
const remoteAddress = (text: string): string =>
  /^[A-Za-z][A-Za-z0-9+.-]*:|^[^/]+@|^-/.test(text) ? text : path.resolve(text);

async function addBody(id: string, options: AddOptions): Promise<Record<string, unknown>> {
  return {
    id,
    remote: remoteAddress(options.remote),
    base: options.base,
    workItemPrefix: options.prefix,
    checks: options.check?.map((text) => ({ kind: 'command', ...parseNamedCommand(text) })),
    merge: options.strategy === undefined ? undefined : { strategy: options.strategy },
    setup: options.setup === undefined ? undefined : { command: splitWords(options.setup) },
    auth: options.auth === undefined ? undefined : { kind: options.auth, ref: options.authRef },
    checkout: options.checkout,
    pipeline: options.pipeline === undefined ? undefined : await readPipelineFile(options.pipeline),
  };
}

function repoText(repo: RepoAnswer): string {
  return fields([
    ['repository', repo.id],
    ['remote', repo.remote],
    ['base', repo.base],
    ['work items', `${repo.workItemPrefix}-…`],
    ['strategy', repo.merge.strategy],
    ['checks', repo.checks.map((check) => `${check.name}: ${check.command.join(' ')}`).join('; ') || 'none'],
    ['adopted at', repo.adoptedAt],
  ]);
}

export function registerRepoCommands(program: Command, context: CommandContext): void {
  const repo = program.command('repo').description('register repositories');
  clientCommand(repo, 'add', 'register a repository')
    .argument('<id>', 'short name, like web')
    .requiredOption('--remote <address>', 'path or URL of the git remote')
    .option('--base <branch>', 'branch that landings reach', 'main')
    .option('--prefix <prefix>', 'of work items, like ET')
    .option('--check <name=command>', 'required for landing (again for more)', collect)
    .option('--strategy <strategy>', 'auto, rebase-ff, merge or squash')
    .option('--setup <command>', 'run once per clone and per checked tree')
    .option('--auth <kind>', 'none, token, ssh-key or helper')
    .option('--auth-ref <ref>', 'env:NAME or file:PATH')
    .option('--checkout <mode>', 'update: keep a checked-out remote in step')
    .option('--pipeline <file>', 'stages of its tasks (YAML or JSON)')
    .action((id: string, options: AddOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const added = await client.send<RepoAnswer>('POST', at('repos'), await addBody(id, options));
        show(added, () => repoText(added));
      }),
    );
  clientCommand(repo, 'list', 'registered repositories').action((options: ClientOptions) =>
    withClient(context, options, async ({ client, show }) => {
      const list = await client.get<List<RepoAnswer>>(at('repos'));
      const rows = list.items.map((r) => [
        r.id,
        r.base,
        r.merge.strategy,
        r.checks.map((c) => c.name).join(','),
        r.remote,
      ]);
      show(list, () => table(['id', 'base', 'strategy', 'checks', 'remote'], rows, 'no repositories'));
    }),
  );
  clientCommand(repo, 'show', 'one repository')
    .argument('<id>')
    .action((id: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const found = await client.get<RepoAnswer>(at('repos', id));
        show(found, () => repoText(found));
      }),
    );
  clientCommand(repo, 'remove', 'forget a repository without live tasks')
    .argument('<id>')
    .action((id: string, options: ClientOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const gone = await client.send<RepoAnswer>('DELETE', at('repos', id));
        show(gone, () => `${id} is forgotten; nothing on its remote was touched`);
      }),
    );
}
