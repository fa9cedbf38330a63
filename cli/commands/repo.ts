import path from 'node:path';
import type { Command } from 'commander';
import type { List, RepoAnswer } from '../answers.js';
import { at, UsageError } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { fields, plain, table } from '../output.js';
import { readPipelineFile } from '../pipeline-file.js';
import { collect, parseNamedCommand, splitWords } from '../words.js';

interface ConfigOptions extends ClientOptions {
  check?: string[];
  strategy?: string;
  setup?: string;
  auth?: string;
  authRef?: string;
  checkout?: string;
  pipeline?: string;
  takeOver?: boolean;
  forge?: string;
  forgeApi?: string;
  forgeProject?: string;
  externalCheck?: string[];
}

interface AddOptions extends ConfigOptions {
  remote: string;
  base: string;
  prefix?: string;
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
    ...(await configBody(options)),
  };
}

/** What is given; `none` takes away what can be absent. */
async function configBody(options: ConfigOptions): Promise<Record<string, unknown>> {
  return {
    checks: checksOf(options),
    forge: forgeOf(options),
    merge: options.strategy === undefined ? undefined : { strategy: options.strategy },
    setup: unlessNone(options.setup, (text) => ({ command: splitWords(text) })),
    auth: options.auth === undefined ? undefined : { kind: options.auth, ref: options.authRef },
    checkout: unlessNone(options.checkout, (mode) => mode),
    pipeline: await unlessNone(options.pipeline, readPipelineFile),
    takeOver: options.takeOver,
  };
}

/** Commands first, then what the forge says. */
function checksOf({ check, externalCheck }: ConfigOptions): Record<string, unknown>[] | undefined {
  if (check === undefined && externalCheck === undefined) return undefined;
  return [
    ...(check ?? []).map((text) => ({ kind: 'command', ...parseNamedCommand(text) })),
    ...(externalCheck ?? []).map((text) => {
      const [name = '', ...context] = text.split('=');
      if (name === '' || context.length === 0) throw new UsageError(`--external-check ${text}: NAME=CONTEXT is needed`);
      return { name, kind: 'external', context: context.join('=') };
    }),
  ];
}

/** Each part of it is needed, but for the address of the public ones. */
function forgeOf({ forge, forgeApi, forgeProject }: ConfigOptions): Record<string, unknown> | null | undefined {
  if (forge === 'none') return null;
  if (forge === undefined) {
    if (forgeApi === undefined && forgeProject === undefined) return undefined;
    throw new UsageError('--forge-api and --forge-project need --forge KIND');
  }
  return { kind: forge, api: forgeApi, project: forgeProject };
}

function unlessNone<T>(text: string | undefined, read: (text: string) => T): T | null | undefined {
  if (text === undefined) return undefined;
  return text === 'none' ? null : read(text);
}

function withConfigOptions(command: Command): Command {
  return command
    .option('--check <name=command>', 'required for landing (again for more)', collect)
    .option('--external-check <name=context>', 'required: a status of the forge, after the commands', collect)
    .option('--strategy <strategy>', 'auto, rebase-ff, merge, squash or pr')
    .option('--forge <kind>', 'github, gitea (also Forgejo) or gitlab; or none')
    .option('--forge-api <url>', 'address of its API; not needed for github.com and gitlab.com')
    .option('--forge-project <path>', 'owner/name there')
    .option('--setup <command>', 'run once per clone and per checked tree; or none')
    .option('--auth <kind>', 'none, token, ssh-key or helper')
    .option('--auth-ref <ref>', 'env:NAME or file:PATH')
    .option('--checkout <mode>', 'update: keep a checked-out remote in step; or none')
    .option('--pipeline <file>', 'stages of its tasks (YAML or JSON); none = that of the repository itself')
    .option('--take-over', 'land on the remote although another instance does');
}

const checkText = ({ name, command, context }: RepoAnswer['checks'][number]): string =>
  `${name}: ${command?.join(' ') ?? `${context ?? ''} of the forge`}`;

function repoText(repo: RepoAnswer): string {
  const text = fields([
    ['repository', repo.id],
    ['remote', repo.remote],
    ['base', repo.base],
    ['work items', `${repo.workItemPrefix}-…`],
    ['strategy', repo.merge.strategy],
    ['forge', repo.forge === null ? 'none' : `${repo.forge.project} on ${repo.forge.kind} (${repo.forge.api})`],
    ['checks', repo.checks.map(checkText).join('; ') || 'none'],
    ['setup', repo.setup?.command.join(' ') ?? 'none'],
    [
      'pipeline',
      repo.pipeline?.stages.map((s) => s.name).join(' → ') ?? 'the built-in, or .signalbox/pipeline.yaml of base',
    ],
    ['adopted at', repo.adoptedAt],
  ]);
  return [text, ...repo.notes.map((note) => plain(`note: ${note}`))].join('\n');
}

export function registerRepoCommands(program: Command, context: CommandContext): void {
  const repo = program
    .command('repo')
    .description('register repositories')
    .addHelpText(
      'after',
      `\nExamples:\n  signalbox repo add web --remote /srv/git/web.git --check 'unit=npm test'\n  signalbox repo change web --checkout update`,
    );
  const add = clientCommand(repo, 'add', 'register a repository')
    .argument('<id>', 'short name, like web')
    .requiredOption('--remote <address>', 'path or URL of the git remote (required)')
    .option('--base <branch>', 'branch that landings reach', 'main')
    .option('--prefix <prefix>', 'of work items, like ET');
  withConfigOptions(add).action((id: string, options: AddOptions) =>
    withClient(context, options, async ({ client, show }) => {
      const added = await client.send<RepoAnswer>('POST', at('repos'), await addBody(id, options));
      show(added, () => repoText(added));
    }),
  );
  const change = clientCommand(repo, 'change', 'change what is given; the rest stays');
  withConfigOptions(change.argument('<id>')).action((id: string, options: ConfigOptions) =>
    withClient(context, options, async ({ client, show }) => {
      const body = await configBody(options);
      if (Object.values(body).every((value) => value === undefined))
        throw new UsageError('say what to change; --help lists it');
      const changed = await client.send<RepoAnswer>('PATCH', at('repos', id), body);
      show(changed, () => repoText(changed));
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
