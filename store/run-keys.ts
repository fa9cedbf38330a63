/** What only a worker and the supervisor it started know of a run: see activities/agents/warrant.ts. */
import { execute, json, query, queryOne, type Db } from './db.js';

/** Where an agent's run began, as the worker that started it decided. */
export interface RunStart {
  /** Commit that the branch was set to: what comes after it is the run's. */
  start: string;
  /** Base commit that the clone was given. */
  base: string;
  /** The clone needed no setup. */
  setUp: boolean;
}

export interface RunKey {
  /** Hex. */
  key: string;
  /** Null for a check. */
  facts: RunStart | null;
}

/** Remembers a key before the supervisor is started that gets it. One run may have several: at most one is used. */
export async function addRunKey(db: Db, runId: string, { key, facts }: RunKey): Promise<void> {
  await execute(db, 'INSERT INTO run_keys (run_id, key, facts) VALUES ($1, $2, $3)', [runId, key, json(facts)]);
}

export async function runKeys(db: Db, runId: string): Promise<RunKey[]> {
  return query<RunKey>(db, 'SELECT key, facts FROM run_keys WHERE run_id = $1', [runId]);
}

/** Where the last run of a task on this host began; null when none did in this generation. */
export async function lastRunStart(
  db: Db,
  of: { repo: string; workItem: string; generation: number; host: string },
): Promise<RunStart | null> {
  const row = await queryOne<{ facts: RunStart }>(
    db,
    `SELECT facts FROM run_keys JOIN agent_runs r ON r.id = run_id
      WHERE r.repo = $1 AND r.work_item = $2 AND r.generation = $3 AND r.host = $4 AND facts IS NOT NULL
      ORDER BY run_keys.created_at DESC LIMIT 1`,
    [of.repo, of.workItem, of.generation, of.host],
  );
  return row?.facts ?? null;
}
