/** Check workflows that wait for what a forge says of a commit. */
import { execute, query, type Db } from './db.js';

export interface ExternalWait {
  workflowId: string;
  context: string;
  repo: string;
  sha: string;
  workItem: string | null;
  since: string;
  until: string;
  /** What was read last; null before the first look. */
  seen: string | null;
  seenUrl: string | null;
  seenAt: string | null;
}

const COLUMNS = `workflow_id AS "workflowId", context, repo, sha, work_item AS "workItem", since, until, seen,
  seen_url AS "seenUrl", seen_at AS "seenAt"`;

/** @param timeoutMs until the wait is given up */
export async function noteWait(
  db: Db,
  wait: Pick<ExternalWait, 'workflowId' | 'context' | 'repo' | 'sha' | 'workItem'>,
  timeoutMs: number,
): Promise<void> {
  await execute(
    db,
    `INSERT INTO external_waits (workflow_id, context, repo, sha, work_item, until)
     VALUES ($1, $2, $3, $4, $5, now() + $6 * interval '1 ms')
     ON CONFLICT (workflow_id, context) DO UPDATE SET sha = excluded.sha, until = excluded.until`,
    [wait.workflowId, wait.context, wait.repo, wait.sha, wait.workItem, timeoutMs],
  );
}

export async function noteSeen(
  db: Db,
  { workflowId, context }: Pick<ExternalWait, 'workflowId' | 'context'>,
  seen: string,
  url: string | null,
): Promise<void> {
  await execute(
    db,
    `UPDATE external_waits SET seen = $3, seen_url = $4, seen_at = now() WHERE workflow_id = $1 AND context = $2`,
    [workflowId, context, seen, url],
  );
}

/** Waits whose time is over: of checks that ended without taking them away. One that goes on notes its wait anew. */
export async function forgetPastWaits(db: Db): Promise<void> {
  await execute(db, 'DELETE FROM external_waits WHERE until < now()');
}

export async function dropWaits(db: Db, workflowId: string): Promise<void> {
  await execute(db, 'DELETE FROM external_waits WHERE workflow_id = $1', [workflowId]);
}

/** Whoever waits for this commit; `context` null = for anything of it. */
export async function waitsFor(
  db: Db,
  repo: string,
  { sha, context }: { sha: string; context: string | null },
): Promise<ExternalWait[]> {
  return query<ExternalWait>(
    db,
    `SELECT ${COLUMNS} FROM external_waits WHERE repo = $1 AND sha = $2 AND ($3::text IS NULL OR context = $3)`,
    [repo, sha, context],
  );
}

/** Those whose time is not over. */
export async function waitsOfTask(db: Db, repo: string, workItem: string): Promise<ExternalWait[]> {
  return query<ExternalWait>(
    db,
    `SELECT ${COLUMNS} FROM external_waits WHERE repo = $1 AND work_item = $2 AND until >= now() ORDER BY since, context`,
    [repo, workItem],
  );
}
