/** The closing page of the demo: tasks, graph of base, proofs. */
import { demoGit } from './git.js';
import type { LandingRow, Proof, TaskRow } from './proofs.js';

export interface DemoResult {
  ok: boolean;
  tasks: TaskRow[];
  landings: LandingRow[];
  proofs: Proof[];
  remote: string;
  ui: string;
}

export async function renderReport(result: DemoResult): Promise<string> {
  const rows = result.tasks.map((t) => [
    t.task,
    t.title,
    t.state,
    t.landed?.commit.slice(0, 10) ?? '-',
    `${t.counters.faults} faults, ${t.counters.followUps} repairs, ${t.counters.humanWaits} approvals`,
  ]);
  const graph = await demoGit(result.remote, ['log', '--graph', '--format=%h %s', '--abbrev=10', 'main']);
  const proofs = result.proofs.map((p) => `  ${p.ok ? '✔' : '✘'} ${p.name}: ${p.detail}`);
  return [
    '',
    table([['task', 'title', 'state', 'landed', 'on the way'], ...rows]),
    '',
    'main, as it is on the remote:',
    graph,
    '',
    'Proven from the remote:',
    ...proofs,
    '',
    `Temporal Web UI while it runs: ${result.ui}`,
    '',
  ].join('\n');
}

function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
