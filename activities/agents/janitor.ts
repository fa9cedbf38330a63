/**
 * Looks after what no activity looks after, at start and every minute: processes of runs that are over, directories of
 * runs nobody knows, exports of checks that ended, exports that
 * are kept for longer than is good. A run whose row says `running` is left alone and told of.
 */
import { existsSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { executions, type Execution } from '../../store/jobs.js';
import { hasMoreThanLogs, keepLogsOnly } from './clean-up.js';
import { runOfExport, sweepWarm } from '../exports/warm.js';
import type { AgentHost } from './host.js';
import { markedRuns } from './processes.js';
import { removeGone, removeTree } from './remove-tree.js';
import { killTree, probe } from './supervisor.js';

/** Younger than this, a directory may belong to something that is just being made. */
const YOUNG_MS = 10 * 60_000;
/** How long logs and results of checks are kept. */
const CHECK_LOGS_MS = 24 * 3600_000;

export interface JanitorReport {
  /** Runs whose processes were ended: nobody accounts for them. */
  ended: string[];
  /** Directories that were removed. */
  removed: string[];
  /** What could not be looked after, and why: the next sweep tries again. */
  troubles: { at: string; error: string }[];
  /** Runs that are `running` by their row, and whose supervisor is gone: for their activity to settle. */
  unattended: string[];
}

/** Sweeps this host once. */
export async function janitor(host: AgentHost): Promise<JanitorReport> {
  const report: JanitorReport = { ended: [], removed: [], troubles: [], unattended: [] };
  // Each by itself: one directory that an agent made unusable is no reason to leave all others.
  const attend = async (at: string, look: () => Promise<void>): Promise<void> => {
    try {
      await look();
    } catch (err) {
      report.troubles.push({ at, error: err instanceof Error ? err.message : String(err) });
    }
  };
  const marked = markedRuns(host.paths.runs);
  const runs = await readdir(host.paths.runs).catch(() => []);
  const exported = await readdir(host.paths.exports).catch(() => []);
  // After the looks: what is begun later than they were taken is not judged by older rows.
  const known = await executions(host.pool, [...new Set([...marked, ...runs, ...exported.map(runOfExport)])]);
  const isLive = (id: string): boolean => known.get(id)?.running === true;
  for (const runId of marked) {
    if (existsSync(host.paths.run(runId)) && isLive(runId)) continue;
    await attend(runId, async () => {
      await killTree(host.paths.run(runId));
      report.ended.push(runId);
    });
  }
  for (const runId of runs) await attend(runId, () => sweepRun(host, runId, known.get(runId) ?? null, report));
  for (const name of exported) {
    await attend(name, async () => {
      const dir = path.join(host.paths.exports, name);
      if (isLive(runOfExport(name)) || (await age(dir)) < YOUNG_MS) return;
      await removeTree(dir);
      report.removed.push(dir);
    });
  }
  await attend(host.paths.warmExports, async () => void report.removed.push(...(await sweepWarm(host))));
  for (const dir of [host.paths.exports, host.paths.runs, host.paths.clones]) await attend(dir, () => removeGone(dir));
  return report;
}

async function sweepRun(host: AgentHost, runId: string, row: Execution | null, report: JanitorReport): Promise<void> {
  const dir = host.paths.run(runId);
  if (row?.running === true) {
    if (probe(dir).state === 'lost') report.unattended.push(runId);
    return;
  }
  const old = await age(dir);
  if (row?.kind === 'agent' || (row?.kind === 'check' && old < CHECK_LOGS_MS)) {
    if (old > YOUNG_MS && (await hasMoreThanLogs(dir))) await keepLogsOnly(dir);
    return;
  }
  if (old < YOUNG_MS) return;
  await killTree(dir);
  await removeTree(dir);
  report.removed.push(dir);
}

/** Since its last change, by the one time of a file that nobody can set. */
async function age(dir: string): Promise<number> {
  const found = await lstat(dir).catch(() => null);
  return found === null ? 0 : Date.now() - found.ctimeMs;
}
