/** What a person does to an entry of a merge queue. */
import type { Command } from 'commander';
import { at, UsageError, type Client } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { plain } from '../output.js';

interface EntryAnswer {
  entry: string;
  task: string;
  priority: string;
  fix: boolean;
  outcome: { kind: string } | null;
}

interface Waiting {
  base: string;
  entries: { entry: string; task: string }[];
}

type EntryOptions = ClientOptions & { base?: string };

/** The entry that `name` is, or that the task of that name has in the queue. Throws `UsageError`. */
async function entryIn(client: Client, repo: string, name: string, base: string | undefined): Promise<string> {
  if (/^[0-9a-f]{32}$/.test(name)) return name;
  const queue = await client.get<Waiting>(at('repos', repo, 'merge-queue'), { base });
  const task = name.includes('/') ? name : `${repo}/${name}`;
  const found = queue.entries.find((e) => e.task === task);
  if (found === undefined) {
    throw new UsageError(`${task} has no entry in the merge queue of ${queue.base} in ${repo}`);
  }
  return found.entry;
}

function said({ task, priority, fix, outcome }: EntryAnswer): string {
  if (outcome !== null) return plain(`${task}: ${outcome.kind}`);
  return plain(`${task} is in the queue, ${priority}${fix ? ', and may land while base is frozen' : ''}`);
}

export function registerEntryCommands(program: Command, context: CommandContext): void {
  const group = program
    .command('entry')
    .description('an entry of a merge queue, named by its task or its id')
    .addHelpText(
      'after',
      `\nExamples:\n  signalbox entry change web ET-012 --priority urgent\n  signalbox entry withdraw web ET-012`,
    );
  clientCommand(group, 'change', 'another place in the queue, or leave to land while base is frozen')
    .argument('<repo>', 'repository')
    .argument('<entry>', 'ET-012, web/ET-012 or the id of the entry')
    .option('--priority <priority>', 'urgent, high, normal or low')
    .option('--fix', 'it may land while base is frozen: it is the fix')
    .option('--no-fix', 'take that leave back')
    .option('--base <branch>', 'base branch of the merge queue')
    .action((repo: string, name: string, options: EntryOptions & { priority?: string; fix?: boolean }) =>
      withClient(context, options, async ({ client, show }) => {
        const { priority, fix } = options;
        if (priority === undefined && fix === undefined) {
          throw new UsageError('nothing to change: give --priority, --fix or --no-fix');
        }
        const entry = await entryIn(client, repo, name, options.base);
        const path = at('repos', repo, 'merge-queue', 'entries', entry);
        const answer = await client.send<EntryAnswer>('PATCH', path, { priority, fix });
        show(answer, () => said(answer));
      }),
    );
  clientCommand(group, 'withdraw', 'take it out before it lands')
    .argument('<repo>', 'repository')
    .argument('<entry>', 'ET-012, web/ET-012 or the id of the entry')
    .option('--base <branch>', 'base branch of the merge queue')
    .action((repo: string, name: string, options: EntryOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const entry = await entryIn(client, repo, name, options.base);
        const answer = await client.send<EntryAnswer>('DELETE', at('repos', repo, 'merge-queue', 'entries', entry));
        show(answer, () => said(answer));
      }),
    );
}
