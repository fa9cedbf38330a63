/**
 * Looks after what no activity looks after, at start and every minute: processes of runs that are over, directories of
 * runs nobody knows, exports of checks that ended. A run whose row says `running` is left alone and told of.
 */
import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { getJob } from '../../store/jobs.js';
import { getRun } from '../../store/runs.js';
import { removeGone, keepLogsOnly, removeTree } from './clean-up.js';
import type { AgentHost } from './host.js';
import { markedProcesses } from './processes.js';
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
  /** Runs that are `running` by their row, and whose supervisor is gone: for their activity to settle. */
  unattended: string[];
}

/** Sweeps this host once. */
export async function janitor(host: AgentHost): Promise<JanitorReport> {
  const report: JanitorReport = { ended: [], removed: [], unattended: [] };
  const alive = new Map([...markedProcesses()].filter(([dir]) => path.dirname(dir) === host.paths.runs));
  for (const dir of alive.keys()) {
    const runId = path.basename(dir);
    if (existsSync(dir) && (await isLive(host, runId))) continue;
    await killTree(dir);
    report.ended.push(runId);
  }
  for (const runId of await readdir(host.paths.runs).catch(() => [])) await sweepRun(host, runId, report);
  for (const name of await readdir(host.paths.exports).catch(() => [])) {
    const dir = path.join(host.paths.exports, name);
    if ((await isLive(host, name)) || (await age(dir)) < YOUNG_MS) continue;
    await removeTree(dir);
    report.removed.push(dir);
  }
  for (const dir of [host.paths.exports, host.paths.runs, host.paths.clones]) await removeGone(dir);
  return report;
}

async function sweepRun(host: AgentHost, runId: string, report: JanitorReport): Promise<void> {
  const dir = host.paths.run(runId);
  const [run, job] = [await getRun(host.pool, runId), await getJob(host.pool, runId)];
  if (run?.status === 'running' || job?.status === 'running') {
    if (probe(dir).state === 'lost') report.unattended.push(runId);
    return;
  }
  const old = await age(dir);
  const known = run !== null || (job !== null && old < CHECK_LOGS_MS);
  if (known) {
    if (existsSync(path.join(dir, 'spec.json')) && old > YOUNG_MS) await keepLogsOnly(dir);
    return;
  }
  if (old < YOUNG_MS) return;
  await killTree(dir);
  await rm(dir, { recursive: true, force: true });
  report.removed.push(dir);
}

/** Somebody accounts for it: a run or check that is running by its row. */
async function isLive(host: AgentHost, runId: string): Promise<boolean> {
  if ((await getRun(host.pool, runId))?.status === 'running') return true;
  return (await getJob(host.pool, runId))?.status === 'running';
}

async function age(dir: string): Promise<number> {
  const found = await stat(dir).catch(() => null);
  return found === null ? 0 : Date.now() - found.mtimeMs;
}
