/** Decisions of people: one for each (task, generation, stage, sha), for ever; the first one stays. */
import type { DecidedOn } from '../domain/pipeline/approvals.js';
import type { Decision } from '../domain/tasks.js';
import { execute, query, queryOne, type Db } from './db.js';

const COLUMNS = 'stage, sha, verdict, by, at, reason';

export interface DecisionKey {
  repo: string;
  workItem: string;
  generation: number;
  stage: string;
  sha: string;
}

/** Stores a decision unless there is one; returns the one that counts. @param intent audit row of the request @param blob the document that was shown */
export async function recordDecision(
  db: Db,
  key: Omit<DecisionKey, 'stage' | 'sha'>,
  decision: Decision,
  intent: number | null,
  blob: string | null = null,
): Promise<{ decision: Decision; created: boolean }> {
  const { stage, sha, verdict, by, at, reason } = decision;
  const created = await execute(
    db,
    `INSERT INTO decisions (repo, work_item, generation, stage, sha, verdict, by, at, reason, intent, blob)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
    [key.repo, key.workItem, key.generation, stage, sha, verdict, by, at, reason, intent, blob],
  );
  return { decision: (await getDecision(db, { ...key, stage, sha })) ?? decision, created: created > 0 };
}

export async function getDecision(db: Db, key: DecisionKey): Promise<Decision | null> {
  return queryOne<Decision>(
    db,
    `SELECT ${COLUMNS} FROM decisions
      WHERE repo = $1 AND work_item = $2 AND generation = $3 AND stage = $4 AND sha = $5`,
    [key.repo, key.workItem, key.generation, key.stage, key.sha],
  );
}

/** What was decided on, in any generation: an approval holds for the same document. */
export async function decidedOn(db: Db, repo: string, workItem: string): Promise<DecidedOn[]> {
  return query(db, 'SELECT stage, verdict, blob FROM decisions WHERE repo = $1 AND work_item = $2', [repo, workItem]);
}

/** All decisions of a task, oldest first. */
export async function listDecisions(
  db: Db,
  repo: string,
  workItem: string,
): Promise<(Decision & { generation: number })[]> {
  return query(
    db,
    `SELECT generation, ${COLUMNS} FROM decisions WHERE repo = $1 AND work_item = $2 ORDER BY at, stage`,
    [repo, workItem],
  );
}
