import type { Command } from 'commander';
import ms from 'ms';
import { withoutLastLines } from '../../domain/plain-text.js';
import type { CheckoutBehind } from '../../domain/tasks.js';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { wholeNumber } from '../options.js';
import { age, plain, short, table } from '../output.js';

interface QueueAnswer {
  repo: string;
  base: string;
  state: string;
  reason: string | null;
  entries: {
    entry: string;
    task: string;
    position: number;
    phase: string;
    head: string;
    priority: string;
    fix: boolean;
    since: string;
    etaSeconds: number | null;
    etaLowSeconds: number | null;
    etaHighSeconds: number | null;
  }[];
  landed: { task: string; commit: string; verdict: string; at: string; checkoutBehind?: CheckoutBehind | null }[];
}

interface JobsAnswer {
  counts: Record<string, number>;
  recent: {
    task: string | null;
    stage: string;
    agent: string | null;
    attempt: number;
    status: string;
    error: string | null;
  }[];
}

interface GateAnswer {
  repo: string;
  base: string;
  state: string;
  gates: { id: number; kind: string; scope: string; base: string | null; reason: string; by: string; since: string }[];
}

function queueText(queue: QueueAnswer): string {
  const entries = queue.entries.map((e) => [
    ...[e.position, e.task, e.phase, e.fix ? `${e.priority}, fix` : e.priority, short(e.head), age(e.since), lands(e)],
  ]);
  const landed = queue.landed.slice(0, 10).map((l) => [l.task, short(l.commit), l.verdict, age(l.at)]);
  const behind = queue.landed[0]?.checkoutBehind;
  const reason = queue.reason === null || queue.reason === '' ? '' : `: ${queue.reason}`;
  return [
    `${queue.repo} ${queue.base}  ${queue.state}${reason}`,
    table(['#', 'task', 'phase', 'priority', 'head', 'since', 'lands in'], entries, 'nothing queued'),
    table(['landed', 'commit', 'verdict', 'ago'], landed, 'nothing landed yet'),
    ...(behind ? [plain(`the checkout stayed behind: ${behind.reason}\nto mend it: ${behind.mendedBy}`)] : []),
  ].join('\n\n');
}

/** `3m (2m to 5m)`; empty while nothing is known. */
function lands({ etaSeconds, etaLowSeconds, etaHighSeconds }: QueueAnswer['entries'][number]): string {
  if (etaSeconds === null || etaLowSeconds === null || etaHighSeconds === null) return '';
  return `${ms(etaSeconds * 1000)} (${ms(etaLowSeconds * 1000)} to ${ms(etaHighSeconds * 1000)})`;
}

function jobsText({ counts, recent }: JobsAnswer): string {
  const summary = Object.entries(counts).map(([status, n]) => `${n} ${status}`);
  const rows = recent.map((j) => [j.task, j.stage, j.agent, j.attempt, j.status, j.error && withoutLastLines(j.error)]);
  return `${summary.join(', ')}\n\n${table(['task', 'stage', 'agent', 'try', 'status', 'error'], rows, 'no jobs yet')}`;
}

/** Ids are of Postgres's integer type. */
const MOST_ID = 2_147_483_647;

interface GateOptions extends ClientOptions {
  reason?: string;
  scope?: string;
  base?: string;
  acceptTip?: string;
  id?: number;
}

function gateText({ repo, base, state, gates }: GateAnswer): string {
  const rows = gates.map((g) => [g.id, g.kind, g.scope, g.base, g.by, age(g.since), g.reason]);
  const held = gates.length > 0 ? `\n\n${table(['id', 'kind', 'scope', 'base', 'by', 'since', 'reason'], rows)}` : '';
  return `${repo} ${base}  ${state}${held}`;
}

export function registerQueueCommands(program: Command, context: CommandContext): void {
  clientCommand(program, 'queue', 'jobs of agents and checks; with a repository, its merge queue')
    .argument('[repo]', 'repository')
    .option('--base <branch>', 'base branch of the merge queue')
    .option('--limit <n>', 'how many recent jobs', wholeNumber(1, 500), 10)
    .action((repo: string | undefined, options: ClientOptions & { base?: string; limit: number }) =>
      withClient(context, options, async ({ client, show }) => {
        if (repo === undefined) {
          const jobs = await client.get<JobsAnswer>(at('queue'), { limit: options.limit });
          show(jobs, () => jobsText(jobs));
          return;
        }
        const queue = await client.get<QueueAnswer>(at('repos', repo, 'merge-queue'), { base: options.base });
        show(queue, () => queueText(queue));
      }),
    );
  const what = {
    pause: 'stop landing',
    resume: 'end pause and drain',
    drain: 'finish what is queued, admit nothing',
    freeze: 'freeze landings',
    unfreeze: 'end all freezes, or one',
  } as const;
  for (const [name, description] of Object.entries(what)) {
    const command = clientCommand(program, name, description)
      .argument('<repo>', 'repository')
      .option('--reason <text>', 'why')
      .option('--scope <scope>', 'all or landing')
      .option('--base <branch>', 'only this base branch');
    if (name === 'resume') command.option('--accept-tip <oid>', 'go on from this tip of a base that was rewound');
    if (name === 'unfreeze') command.option('--id <n>', 'only this freeze', wholeNumber(1, MOST_ID));
    command.action((repo: string, options: GateOptions) =>
      withClient(context, options, async ({ client, show }) => {
        const { reason, scope, base, acceptTip, id } = options;
        const body = { reason, scope, base, acceptTip, id };
        const answer = await client.send<GateAnswer>('POST', at('repos', repo, name), body);
        show(answer, () => gateText(answer));
      }),
    );
  }
}
