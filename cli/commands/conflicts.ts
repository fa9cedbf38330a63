import type { Command } from 'commander';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { age, plain, short, table } from '../output.js';

interface ConflictsAnswer {
  repo: string;
  base: string;
  baseOid: string | null;
  flags: {
    task: string;
    head: string;
    since: string;
    against: { kind: string; name: string; oid: string; paths: string[] }[];
  }[];
  pairs: { a: { name: string }; b: { name: string }; paths: string[] }[];
  scan: { at: string; scanned: number; flagged: number; cleared: number; notified: number } | null;
  fault: string | null;
}

function conflictsText({ repo, base, baseOid, flags, pairs, scan, fault }: ConflictsAnswer): string {
  const looked =
    scan === null
      ? 'not looked at yet'
      : `${scan.scanned} looked at ${age(scan.at)} ago, ${scan.flagged} flagged, ${scan.cleared} cleared, ${scan.notified} told`;
  const standing = flags.flatMap(({ task, head, since, against }) =>
    against.map(({ name, paths }) => [task, short(head), name, age(since), paths.join(', ')]),
  );
  const others = pairs.filter(({ a }) => a.name !== base).map(({ a, b, paths }) => [a.name, b.name, paths.join(', ')]);
  return [
    plain(`${repo} ${base}${baseOid === null ? '' : ` ${short(baseOid)}`}  ${looked}`),
    ...(fault === null ? [] : [plain(`a newer look failed: ${fault}`)]),
    table(['flagged', 'head', 'does not merge with', 'since', 'in'], standing, 'nothing flagged'),
    table(['work', 'and', 'do not merge in'], others, 'all live work merges with each other'),
  ].join('\n\n');
}

export function registerConflictsCommand(program: Command, context: CommandContext): void {
  clientCommand(program, 'conflicts', 'live work that will not merge: with base, or with each other')
    .argument('<repo>', 'repository')
    .option('--base <branch>', 'another base branch')
    .action((repo: string, options: ClientOptions & { base?: string }) =>
      withClient(context, options, async ({ client, show }) => {
        const answer = await client.get<ConflictsAnswer>(at('repos', repo, 'conflicts'), { base: options.base });
        show(answer, () => conflictsText(answer));
      }),
    );
}
