/** Entries of merge queues: what was asked for, and how each one left the queue. The first outcome stays. */
import type { EnqueueRequest, MergeOutcome } from '../domain/merge-queue/types.js';
import { execute, query, queryOne, type Db } from './db.js';

export interface MergeEntry {
  entry: string;
  repo: string;
  base: string;
  workItem: string;
  request: EnqueueRequest;
  outcome: MergeOutcome | null;
  /** May land while base is frozen. */
  fix: boolean;
  createdAt: string;
  settledAt: string | null;
}

const COLUMNS = `entry, repo, base, work_item AS "workItem", request, outcome, fix, created_at AS "createdAt",
  settled_at AS "settledAt"`;

/** Stores the request unless its entry is there; returns the row. */
export async function insertEntry(db: Db, request: EnqueueRequest): Promise<MergeEntry | null> {
  await execute(
    db,
    `INSERT INTO merge_entries (entry, repo, base, work_item, generation, head, try, request)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (entry) DO NOTHING`,
    [
      ...[request.entry, request.repo, request.base, request.workItem, request.generation, request.head, request.try],
      JSON.stringify(request),
    ],
  );
  return getEntry(db, request.entry);
}

export async function getEntry(db: Db, entry: string): Promise<MergeEntry | null> {
  return queryOne<MergeEntry>(db, `SELECT ${COLUMNS} FROM merge_entries WHERE entry = $1`, [entry]);
}

/** Says whether the entry may land while base is frozen; false when it left its queue, or is not there. */
export async function markFix(db: Db, entry: string, fix: boolean): Promise<boolean> {
  const sql = 'UPDATE merge_entries SET fix = $2 WHERE entry = $1 AND outcome IS NULL';
  return (await execute(db, sql, [entry, fix])) > 0;
}

/** Entries of a task in a generation that are still in a queue. */
export async function openEntriesOf(
  db: Db,
  { repo, workItem, generation }: { repo: string; workItem: string; generation: number },
): Promise<{ entry: string; base: string }[]> {
  return query(
    db,
    `SELECT entry, base FROM merge_entries
      WHERE repo = $1 AND work_item = $2 AND generation = $3 AND outcome IS NULL`,
    [repo, workItem, generation],
  );
}

/** Entries of a base branch that have no outcome yet. */
export async function openEntriesOn(db: Db, repo: string, base: string): Promise<string[]> {
  const rows = await query<{ entry: string }>(
    db,
    'SELECT entry FROM merge_entries WHERE repo = $1 AND base = $2 AND outcome IS NULL',
    [repo, base],
  );
  return rows.map((row) => row.entry);
}

/** Notes how an entry left the queue; false when that was known, or the entry is not. */
export async function settleEntry(db: Db, entry: string, outcome: MergeOutcome): Promise<boolean> {
  const touched = await execute(
    db,
    'UPDATE merge_entries SET outcome = $2, settled_at = now() WHERE entry = $1 AND outcome IS NULL',
    [entry, JSON.stringify(outcome)],
  );
  return touched > 0;
}
