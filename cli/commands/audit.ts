/** Proves what landed, and makes the records of it again. */
import type { Command } from 'commander';
import type { AuditReport } from '../../domain/merge-queue/audit-types.js';
import { at } from '../client.js';
import { clientCommand, withClient, type ClientOptions, type CommandContext } from '../context.js';
import { plain, short, table } from '../output.js';

interface AuditOptions extends ClientOptions {
  since?: string;
  base?: string;
  strict?: boolean;
}

/** Pushes of people that are shown; all are in `--json`. */
const FOREIGN_SHOWN = 20;

function auditText(report: AuditReport): string {
  const { offences, notes, foreign } = report;
  const range = `${short(report.from)}..${short(report.to)}`;
  const counts = `${report.proven} of ${report.landings} landings proven, ${foreign.length} pushes of people`;
  const head = `${report.repo} ${report.base}  ${report.ok ? 'ok' : `${offences.length} offences`}  ${range}  ${counts}`;
  const found = offences.map((o) => [o.code, o.commit, o.task, o.detail]);
  const pushed = foreign.slice(-FOREIGN_SHOWN).map((f) => [short(f.commit), f.author, f.subject]);
  const codes = [...new Set(notes.map((note) => note.code))];
  const noted = codes.map((code) => {
    const those = notes.filter((note) => note.code === code);
    return [code, those.length, short(those.at(-1)?.commit), those.at(-1)?.detail];
  });
  return [
    plain(head),
    ...(found.length > 0 ? [table(['offence', 'commit', 'task', 'what'], found)] : []),
    ...(pushed.length > 0 ? [table(['foreign', 'author', 'subject'], pushed)] : []),
    ...(noted.length > 0 ? [table(['note', 'times', 'last', 'what'], noted)] : []),
  ].join('\n\n');
}

interface Rebuilt {
  repo: string;
  base: string;
  landings: number;
  restored: number;
  adoptedAt: string;
  numbers: { prefix: string; highest: number }[];
}

function rebuiltText({ repo, base, landings, restored, adoptedAt, numbers }: Rebuilt): string {
  const used = numbers.map(({ prefix, highest }) => `; ${prefix} goes on after ${highest}`).join('');
  return plain(
    `${repo} ${base}  ${restored} of ${landings} landings restored, audited from ${short(adoptedAt)}${used}`,
  );
}

export function registerRebuildCommand(program: Command, context: CommandContext): void {
  clientCommand(program, 'rebuild', 'restore the records of landings from the remote, after the store was lost')
    .argument('<repo>', 'repository, registered again with its name of before')
    .option('--base <branch>', 'another base branch')
    .action((repo: string, options: ClientOptions & { base?: string }) =>
      withClient(context, options, async ({ client, show }) => {
        const rebuilt = await client.send<Rebuilt>('POST', at('repos', repo, 'rebuild'), { base: options.base });
        show(rebuilt, () => rebuiltText(rebuilt));
      }),
    );
}

export function registerAuditCommand(program: Command, context: CommandContext): void {
  clientCommand(program, 'audit', 'prove the landings on a base branch, from the remote and the store')
    .argument('<repo>', 'repository')
    .option('--since <oid>', 'begin after this commit of the base branch')
    .option('--base <branch>', 'another base branch; needs --since')
    .option('--strict', 'pushes of people are offences')
    // Offences are 1: what kept the audit from being made must be told from them.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .addHelpText('after', '\nExit code: 0 every landing proves, 1 offences, 2 the audit could not be made.')
    .action((repo: string, options: AuditOptions) => {
      const { since, base, strict } = options;
      const failing = { ...context, setExitCode: () => context.setExitCode(2) };
      return withClient(failing, options, async ({ client, show }) => {
        const report = await client.get<AuditReport>(at('repos', repo, 'audit'), { since, base, strict });
        show(report, () => auditText(report));
        if (!report.ok) context.setExitCode(1);
      });
    });
}
