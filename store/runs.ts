/** Runs of agents. A run is written by whoever holds its newest fence, and only while it is `running`. */
import type { FailureClass, RunReport, Usage } from '../domain/agents/types.js';
import type { Cost } from '../domain/tasks.js';
import { execute, json, lock, query, queryOne, type Db, type Tx } from './db.js';
import { finishJob } from './jobs.js';

export type RunStatus = 'running' | 'passed' | 'failed' | 'stopped' | 'lost';

export interface Run {
  id: string;
  repo: string;
  workItem: string;
  generation: number;
  stage: string;
  attempt: number;
  agent: string;
  adapter: string;
  model: string | null;
  effort: string | null;
  status: RunStatus;
  fence: number;
  exitCode: number | null;
  failureClass: FailureClass | null;
  usage: Usage | null;
  costUsd: number | null;
  costKnown: boolean;
  host: string;
  pid: number | null;
  logPath: string | null;
  report: RunReport | null;
  startedAt: string;
  finishedAt: string | null;
}

const COLUMNS = `id, repo, work_item AS "workItem", generation, stage, attempt, agent, adapter, model, effort, status,
  fence, exit_code AS "exitCode", failure_class AS "failureClass", usage, cost_usd AS "costUsd",
  cost_known AS "costKnown", host, pid, log_path AS "logPath", report, started_at AS "startedAt",
  finished_at AS "finishedAt"`;

export async function getRun(db: Db, id: string): Promise<Run | null> {
  return queryOne<Run>(db, `SELECT ${COLUMNS} FROM agent_runs WHERE id = $1`, [id]);
}

/** All runs of a task, oldest first. */
export async function listRuns(db: Db, repo: string, workItem: string): Promise<Run[]> {
  return query<Run>(
    db,
    `SELECT ${COLUMNS} FROM agent_runs WHERE repo = $1 AND work_item = $2 ORDER BY started_at, id`,
    [repo, workItem],
  );
}

/**
 * Takes the run over: whoever held it before can neither signal it nor store its result. Returns it with its new
 * fence; null when there is no such run. One that is over keeps its fence, and comes with its report.
 */
export async function claimRun(db: Db, id: string): Promise<Run | null> {
  return queryOne<Run>(
    db,
    `UPDATE agent_runs SET fence = fence + CASE WHEN status = 'running' THEN 1 ELSE 0 END WHERE id = $1
     RETURNING ${COLUMNS}`,
    [id],
  );
}

/** Notes what was really started; false when the fence is not the newest or the run is over. */
export async function noteRunStarted(
  db: Db,
  id: string,
  fence: number,
  facts: { pid: number; logPath: string; adapter: string; model: string | null; effort: string | null },
): Promise<boolean> {
  const touched = await execute(
    db,
    `UPDATE agent_runs SET pid = $3, log_path = $4, adapter = $5, model = $6, effort = $7
      WHERE id = $1 AND fence = $2 AND status = 'running'`,
    [id, fence, facts.pid, facts.logPath, facts.adapter, facts.model, facts.effort],
  );
  return touched > 0;
}

export interface RunEnd {
  id: string;
  fence: number;
  status: Exclude<RunStatus, 'running'>;
  exitCode: number | null;
  failureClass: FailureClass | null;
  /** Null = unknown. */
  usage: Usage | null;
  report: RunReport;
  /** Shown in the queue when it did not pass. */
  error: string | null;
}

/**
 * Stores the result of a run, once, and gives its slot on in the same transaction. False when the fence is not the
 * newest or the run is over: read what is stored instead.
 * @param staleMs silence after which a host counts as gone
 */
export async function finishRun(tx: Tx, end: RunEnd, staleMs: number): Promise<boolean> {
  await lock(tx, 'slots'); // before the row, as everybody who changes both
  const cost = end.usage?.costUsd ?? null;
  const touched = await execute(
    tx,
    `UPDATE agent_runs SET status = $3, exit_code = $4, failure_class = $5, usage = $6, cost_usd = $7, cost_known = $8,
       model = coalesce($9, model), report = $10, finished_at = now()
     WHERE id = $1 AND fence = $2 AND status = 'running'`,
    [
      ...[end.id, end.fence, end.status, end.exitCode, end.failureClass, json(end.usage), cost, cost !== null],
      ...[end.usage?.model ?? null, json(end.report)],
    ],
  );
  if (touched === 0) return false;
  await finishJob(tx, end.id, end.status === 'passed' ? 'done' : 'failed', end.error, staleMs);
  return true;
}

const NOTHING: Cost = { usd: 0, inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 };

/** Known costs of tasks, by `web/ET-012`; a task without runs is not in the map (see `costOf`). */
export async function taskCosts(
  db: Db,
  tasks: readonly { repo: string; workItem: string }[],
): Promise<Map<string, Cost>> {
  const rows = await query<Cost & { task: string }>(
    db,
    `SELECT repo || '/' || work_item AS task, coalesce(sum(cost_usd), 0)::float8 AS usd,
            coalesce(sum((usage->>'inputTokens')::float8), 0) AS "inputTokens",
            coalesce(sum((usage->>'outputTokens')::float8), 0) AS "outputTokens",
            coalesce(sum((usage->>'cacheReadTokens')::float8), 0) AS "cacheReadTokens",
            coalesce(sum((usage->>'cacheCreationTokens')::float8), 0) AS "cacheCreationTokens"
       FROM agent_runs WHERE (repo, work_item) IN (SELECT * FROM unnest($1::text[], $2::text[]))
      GROUP BY repo, work_item`,
    [tasks.map((t) => t.repo), tasks.map((t) => t.workItem)],
  );
  return new Map(rows.map(({ task, ...cost }) => [task, cost]));
}

export function costOf(costs: ReadonlyMap<string, Cost>, task: string): Cost {
  return costs.get(task) ?? NOTHING;
}
