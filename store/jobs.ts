/**
 * Executions of stages, and the line for agent slots: queued → running → done | failed. Every change of status is
 * guarded by the status it leaves, so a late writer revives nothing; whatever frees a slot gives it on in the same
 * transaction. Slots are counted by query, under one lock.
 */
import { randomUUID } from 'node:crypto';
import { assignSlots, whyWaiting, type HostRoom } from '../domain/agents/slots.js';
import type { RunRequest } from '../domain/agents/types.js';
import { SignalboxError } from '../domain/errors.js';
import { execute, lock, query, queryOne, type Db, type Tx } from './db.js';
import { addToOutbox } from './outbox.js';

export type JobStatus = 'queued' | 'running' | 'done' | 'failed';

export interface Job {
  id: number;
  runId: string;
  repo: string;
  workItem: string | null;
  generation: number;
  stage: string;
  kind: 'agent' | 'check';
  agent: string | null;
  attempt: number;
  status: JobStatus;
  host: string | null;
  preferHost: string | null;
  workflowId: string;
  error: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

const COLUMNS = `id, run_id AS "runId", repo, work_item AS "workItem", generation, stage, kind, agent, attempt, status,
  host, prefer_host AS "preferHost", workflow_id AS "workflowId", error, created_at AS "createdAt",
  started_at AS "startedAt", finished_at AS "finishedAt"`;

export async function getJob(db: Db, runId: string): Promise<Job | null> {
  return queryOne<Job>(db, `SELECT ${COLUMNS} FROM jobs WHERE run_id = $1`, [runId]);
}

export type SlotAnswer = { granted: true; host: string } | { granted: false; ahead: number; reason: string };

/**
 * Puts a run in line (idempotent by run id) and says whether it has its slot. A run that is over already is `granted`
 * too: its report is stored. Throws `superseded` for one that was dropped from the line.
 * @param staleMs silence after which a host counts as gone
 */
export async function requestJob(tx: Tx, run: RunRequest, staleMs: number): Promise<SlotAnswer> {
  await lock(tx, 'slots');
  await execute(
    tx,
    `INSERT INTO jobs (run_id, repo, work_item, generation, stage, kind, agent, attempt, prefer_host, workflow_id)
     VALUES ($1, $2, $3, $4, $5, 'agent', $6, $7, $8, $9) ON CONFLICT (run_id) DO NOTHING`,
    [
      ...[run.runId, run.repo, run.workItem, run.generation, run.stage, run.agent, run.attempt],
      ...[run.preferHost, run.workflowId],
    ],
  );
  await grantSlots(tx, staleMs, run.runId);
  const job = await getJob(tx, run.runId);
  if (job?.host != null) return { granted: true, host: job.host };
  if (job?.status !== 'queued') throw new SignalboxError('superseded', `${run.runId}: ${job?.error ?? 'dropped'}`);
  const ahead = await queryOne<{ n: number }>(
    tx,
    `SELECT count(*) AS n FROM jobs WHERE status = 'queued' AND kind = 'agent' AND id < $1`,
    [job.id],
  );
  return { granted: false, ahead: ahead?.n ?? 0, reason: whyWaiting(job, await rooms(tx, staleMs)) };
}

/**
 * Gives free slots to the jobs whose turn it is; each hears of it through the outbox, except the one that asks right
 * now. Call it whenever a slot or a host may have come free; returns the runs that were granted.
 */
export async function grantSlots(tx: Tx, staleMs: number, asking: string | null = null): Promise<string[]> {
  await lock(tx, 'slots');
  const line = await query<Job>(
    tx,
    `SELECT ${COLUMNS} FROM jobs WHERE status = 'queued' AND kind = 'agent' ORDER BY id`,
  );
  if (line.length === 0) return [];
  const grants = assignSlots(line, await rooms(tx, staleMs));
  for (const { runId, host } of grants) {
    const job = line.find((j) => j.runId === runId);
    if (job === undefined) continue;
    await start(tx, job, host);
    if (runId !== asking)
      await addToOutbox(tx, `granted:${runId}`, 'run-granted', { workflowId: job.workflowId, runId, host });
  }
  return grants.map((g) => g.runId);
}

async function rooms(tx: Tx, staleMs: number): Promise<HostRoom[]> {
  return query<HostRoom>(
    tx,
    `SELECT id, agent_slots AS slots,
            (SELECT count(*) FROM jobs WHERE jobs.host = hosts.id AND status = 'running' AND kind = 'agent') AS running
       FROM hosts WHERE stopped_at IS NULL AND last_seen_at > now() - $1 * interval '1 ms' ORDER BY id`,
    [staleMs],
  );
}

/**
 * Notes which hosts of running agents are away (silent for `staleMs`; one that stopped in order is given as long), and
 * wants the workflows told of each change. Returns the runs whose host changed.
 */
export async function noticeHosts(tx: Tx, staleMs: number): Promise<string[]> {
  const changed = await query<{ runId: string }>(
    tx,
    `UPDATE jobs SET host_away_since = CASE WHEN h.away THEN h.last_seen_at END
       FROM (SELECT id, last_seen_at, last_seen_at <= now() - $1 * interval '1 ms' AS away FROM hosts) h
      WHERE jobs.host = h.id AND status = 'running' AND kind = 'agent' AND (host_away_since IS NOT NULL) <> h.away
      RETURNING run_id AS "runId"`,
    [staleMs],
  );
  for (const { runId } of changed) await addToOutbox(tx, `host:${runId}:${randomUUID()}`, 'host-changed', { runId });
  return changed.map(({ runId }) => runId);
}

/** Whom to tell about the host of a running agent, and what: since when it is away, null = it is not. */
export async function hostOfRun(db: Db, runId: string): Promise<{ workflowId: string; away: string | null } | null> {
  return queryOne(
    db,
    `SELECT workflow_id AS "workflowId", host_away_since AS away FROM jobs WHERE run_id = $1 AND status = 'running'`,
    [runId],
  );
}

/** The run's own row comes with the slot: from here on somebody has to account for it. */
async function start(tx: Tx, job: Job, host: string): Promise<void> {
  await execute(
    tx,
    `UPDATE jobs SET status = 'running', host = $2, started_at = now() WHERE id = $1 AND status = 'queued'`,
    [job.id, host],
  );
  await execute(
    tx,
    `INSERT INTO agent_runs (id, repo, work_item, generation, stage, attempt, agent, adapter, model, effort, host)
     SELECT $1, $2, $3, $4, $5, $6, $7, coalesce(p.profile->>'adapter', 'command'), p.profile->>'model',
            p.profile->>'effort', $8
       FROM (SELECT 1) one LEFT JOIN LATERAL (
         SELECT profile FROM agent_profiles WHERE name IN ($7, 'default') ORDER BY name = $7 DESC LIMIT 1) p ON true
     ON CONFLICT (id) DO NOTHING`,
    [job.runId, job.repo, job.workItem, job.generation, job.stage, job.attempt, job.agent, host],
  );
}

/** Ends a running job and gives its slot on; false when it was not running. */
export async function finishJob(
  tx: Tx,
  runId: string,
  status: 'done' | 'failed',
  error: string | null,
  staleMs: number,
): Promise<boolean> {
  await lock(tx, 'slots');
  const ended = await execute(
    tx,
    `UPDATE jobs SET status = $2, error = $3, finished_at = now() WHERE run_id = $1 AND status = 'running'`,
    [runId, status, error],
  );
  if (ended > 0) await grantSlots(tx, staleMs);
  return ended > 0;
}

/**
 * Takes a job out: from the line, or, when its host is lost or its workflow gone, from its slot. Idempotent.
 * Returns the job as it was, null when it was over or unknown.
 */
export async function dropJob(tx: Tx, runId: string, reason: string, staleMs: number): Promise<Job | null> {
  await lock(tx, 'slots');
  const job = await getJob(tx, runId);
  if (job === null || (job.status !== 'queued' && job.status !== 'running')) return null;
  await execute(tx, `UPDATE jobs SET status = 'failed', error = $2, finished_at = now() WHERE run_id = $1`, [
    runId,
    reason,
  ]);
  await execute(
    tx,
    `UPDATE agent_runs SET status = CASE WHEN pid IS NULL THEN 'stopped' ELSE 'lost' END, finished_at = now(),
       failure_class = CASE WHEN pid IS NULL THEN 'stopped' ELSE 'host-lost' END
     WHERE id = $1 AND status = 'running'`,
    [runId],
  );
  await grantSlots(tx, staleMs);
  return job;
}

/** A check as a job: for the picture only, it takes no agent slot. The same run again begins anew. */
export async function startCheckJob(
  db: Db,
  job: { runId: string; repo: string; workItem: string | null; workflowId: string },
): Promise<void> {
  await execute(
    db,
    `INSERT INTO jobs (run_id, repo, work_item, stage, kind, attempt, status, workflow_id, started_at)
     VALUES ($1, $2, $3, 'check', 'check', 1, 'running', $4, now())
     ON CONFLICT (run_id) DO UPDATE SET status = 'running', attempt = jobs.attempt + 1, error = NULL,
       started_at = now(), finished_at = NULL WHERE jobs.status IN ('done', 'failed')`,
    [job.runId, job.repo, job.workItem, job.workflowId],
  );
}

/** Executions of checks for a task, oldest first: of its head, and of what would land. */
export async function listCheckRuns(db: Db, repo: string, workItem: string): Promise<Job[]> {
  return query<Job>(
    db,
    `SELECT ${COLUMNS} FROM jobs WHERE repo = $1 AND work_item = $2 AND kind = 'check' AND run_id <> workflow_id
      ORDER BY id`,
    [repo, workItem],
  );
}

export async function finishCheckJob(db: Db, runId: string, error: string | null): Promise<void> {
  await execute(
    db,
    `UPDATE jobs SET status = $2, error = $3, finished_at = now()
      WHERE run_id = $1 AND kind = 'check' AND status = 'running'`,
    [runId, error === null ? 'done' : 'failed', error],
  );
}

/** Jobs in the line or in a slot, oldest first. */
export async function openAgentJobs(db: Db): Promise<Job[]> {
  return query<Job>(
    db,
    `SELECT ${COLUMNS} FROM jobs WHERE kind = 'agent' AND status IN ('queued', 'running') ORDER BY id`,
  );
}

/** What the rows say of an execution: `running` when somebody accounts for it. */
export interface Execution {
  kind: 'agent' | 'check';
  running: boolean;
}

/** Those of the given ids that are known, in one query. */
export async function executions(db: Db, ids: readonly string[]): Promise<Map<string, Execution>> {
  const rows = await query<Execution & { id: string }>(
    db,
    `SELECT coalesce(r.id, j.run_id) AS id, CASE WHEN r.id IS NULL THEN j.kind ELSE 'agent' END AS kind,
            coalesce(r.status = 'running', false) OR coalesce(j.status = 'running', false) AS running
       FROM (SELECT * FROM agent_runs WHERE id = ANY ($1)) r
       FULL JOIN (SELECT * FROM jobs WHERE run_id = ANY ($1)) j ON j.run_id = r.id`,
    [ids],
  );
  return new Map(rows.map(({ id, ...execution }) => [id, execution]));
}

/** All four counts are always there. `repos` = only these. */
export async function queueCounts(db: Db, repos: readonly string[] | null = null): Promise<Record<JobStatus, number>> {
  const rows = await query<{ status: JobStatus; n: number }>(
    db,
    'SELECT status, count(*) AS n FROM jobs WHERE $1::text[] IS NULL OR repo = ANY ($1) GROUP BY status',
    [repos],
  );
  return { queued: 0, running: 0, done: 0, failed: 0, ...Object.fromEntries(rows.map((r) => [r.status, r.n])) };
}

/** Newest first. */
export async function recentJobs(db: Db, limit: number, repos: readonly string[] | null = null): Promise<Job[]> {
  return query<Job>(
    db,
    `SELECT ${COLUMNS} FROM jobs WHERE $2::text[] IS NULL OR repo = ANY ($2) ORDER BY id DESC LIMIT $1`,
    [limit, repos],
  );
}
