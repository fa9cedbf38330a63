/** Pull requests of tasks: which change of the task a forge should show, and what it shows as far as it is known. */
import type { PullRequestState } from '../domain/forges.js';
import { query, queryOne, execute, transaction, type Db, type Pool, type Tx } from './db.js';
import { addToOutbox } from './outbox.js';

export interface PullRequestRow {
  repo: string;
  workItem: string;
  wanted: number;
  shown: number;
  number: number | null;
  url: string | null;
  state: PullRequestState | null;
  textHash: string | null;
  error: string | null;
}

const COLUMNS = `repo, work_item AS "workItem", wanted, shown, number, url, state, text_hash AS "textHash", error`;

/** The task changed in a way that its pull request is to show. */
export async function wantPullRequest(tx: Tx, repo: string, workItem: string): Promise<void> {
  const row = await queryOne<{ wanted: number }>(
    tx,
    `INSERT INTO pull_requests (repo, work_item) VALUES ($1, $2)
     ON CONFLICT (repo, work_item) DO UPDATE SET wanted = pull_requests.wanted + 1 RETURNING wanted`,
    [repo, workItem],
  );
  const version = row?.wanted ?? 1;
  // One row for each change: one that waits for a forge must not hold up the transaction of the next.
  await addToOutbox(tx, `pull-request:${repo}/${workItem}:${version}`, 'pull-request', { repo, workItem, version });
}

export async function getPullRequest(db: Db, repo: string, workItem: string): Promise<PullRequestRow | null> {
  return queryOne<PullRequestRow>(db, `SELECT ${COLUMNS} FROM pull_requests WHERE repo = $1 AND work_item = $2`, [
    repo,
    workItem,
  ]);
}

/** Those of the tasks (`web/ET-012`) that have one. */
export async function pullRequestsOf(db: Db, tasks: readonly string[]): Promise<Map<string, PullRequestRow>> {
  const rows = await query<PullRequestRow>(
    db,
    `SELECT ${COLUMNS} FROM pull_requests WHERE repo || '/' || work_item = ANY ($1)`,
    [tasks],
  );
  return new Map(rows.map((row) => [`${row.repo}/${row.workItem}`, row]));
}

export type Shown = Pick<PullRequestRow, 'shown' | 'number' | 'url' | 'state' | 'textHash'>;

export async function notePullRequest(db: Db, repo: string, workItem: string, shown: Shown): Promise<void> {
  await execute(
    db,
    `UPDATE pull_requests SET shown = greatest(shown, $3), number = $4, url = $5, state = $6, text_hash = $7,
       error = NULL, updated_at = now() WHERE repo = $1 AND work_item = $2`,
    [repo, workItem, shown.shown, shown.number, shown.url, shown.state, shown.textHash],
  );
}

/** The forge is behind, and why. */
export async function notePullRequestError(db: Db, repo: string, workItem: string, error: string): Promise<void> {
  await execute(db, 'UPDATE pull_requests SET error = $3, updated_at = now() WHERE repo = $1 AND work_item = $2', [
    repo,
    workItem,
    error.slice(0, 1000),
  ]);
}

/**
 * Notes that `next` is about to be pushed on the branch, over `found` (null = nothing is lost by it). False, and nothing
 * is noted, when `found` is not a commit that was pushed there before.
 */
export async function claimBranch(
  db: Db,
  repo: string,
  workItem: string,
  { found, next }: { found: string | null; next: string },
): Promise<boolean> {
  const touched = await execute(
    db,
    `UPDATE pull_requests
        SET pushed = array_append(array_remove(coalesce(pushed, array_remove(ARRAY[$3::text], NULL)), $4), $4)
      WHERE repo = $1 AND work_item = $2 AND ($3::text IS NULL OR pushed IS NULL OR $3 = ANY (pushed))`,
    [repo, workItem, found, next],
  );
  return touched > 0;
}

/** Runs `action` unless somebody else is at the same pull request just now: then null. */
export async function holdingPullRequest<T>(
  pool: Pool,
  repo: string,
  workItem: string,
  action: () => Promise<T>,
): Promise<T | null> {
  return transaction(pool, async (tx) => {
    const held = await queryOne<{ held: boolean }>(
      tx,
      'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS held',
      [`pull-request:${repo}/${workItem}`],
    );
    return held?.held === true ? action() : null;
  });
}
