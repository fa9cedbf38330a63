/** Entries of merge queues: what was asked for, and how each one left the queue. The first outcome stays. */
import { randomUUID } from 'node:crypto';
import type { EnqueueRequest, EntryEdit, MergeOutcome } from '../domain/merge-queue/types.js';
import type { Priority } from '../domain/tasks.js';
import { execute, json, query, queryOne, type Db, type Tx } from './db.js';
import { addToOutbox } from './outbox.js';

export interface MergeEntry {
  entry: string;
  repo: string;
  base: string;
  workItem: string;
  request: EnqueueRequest;
  outcome: MergeOutcome | null;
  /** What people decided about it. */
  edit: EntryEdit;
  createdAt: string;
  settledAt: string | null;
}

const COLUMNS = `entry, repo, base, work_item AS "workItem", request, outcome, created_at AS "createdAt",
  settled_at AS "settledAt", json_build_object('version', edits, 'priority', priority, 'fix', fix) AS edit`;

/** Stores the request unless its entry is there; returns the row. */
export async function insertEntry(db: Db, request: EnqueueRequest): Promise<MergeEntry | null> {
  await execute(
    db,
    `INSERT INTO merge_entries (entry, repo, base, work_item, generation, head, try, request)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (entry) DO NOTHING`,
    [
      ...[request.entry, request.repo, request.base, request.workItem, request.generation, request.head, request.try],
      json(request),
    ],
  );
  return getEntry(db, request.entry);
}

export async function getEntry(db: Db, entry: string): Promise<MergeEntry | null> {
  return queryOne<MergeEntry>(db, `SELECT ${COLUMNS} FROM merge_entries WHERE entry = $1`, [entry]);
}

/**
 * A person's word about an entry that waits, undefined = as it is; its queue is told. Null when it left the queue, or is
 * not there.
 */
export async function editEntry(
  tx: Tx,
  entry: string,
  { priority, fix }: { priority?: Priority | undefined; fix?: boolean | undefined },
): Promise<MergeEntry | null> {
  const edited = await queryOne<MergeEntry>(
    tx,
    `UPDATE merge_entries SET priority = coalesce($2, priority), fix = coalesce($3, fix), edits = edits + 1
      WHERE entry = $1 AND outcome IS NULL RETURNING ${COLUMNS}`,
    [entry, priority ?? null, fix ?? null],
  );
  if (edited !== null) await tellEdit(tx, entry);
  return edited;
}

/** The task got a new priority: the last word counts, so what was said of its entries before is over. */
export async function dropEntryPriorities(tx: Tx, repo: string, workItem: string): Promise<void> {
  const rows = await query<{ entry: string }>(
    tx,
    `UPDATE merge_entries SET priority = NULL, edits = edits + 1
      WHERE repo = $1 AND work_item = $2 AND outcome IS NULL AND priority IS NOT NULL RETURNING entry`,
    [repo, workItem],
  );
  for (const { entry } of rows) await tellEdit(tx, entry);
}

async function tellEdit(tx: Tx, entry: string): Promise<void> {
  await addToOutbox(tx, `entry:${entry}:${randomUUID()}`, 'entry-edited', { entry });
}

/** Entries of a task in a generation that are still in a queue. */
export async function openEntriesOf(
  db: Db,
  { repo, workItem, generation }: { repo: string; workItem: string; generation: number },
): Promise<{ entry: string; base: string; fix: boolean }[]> {
  return query(
    db,
    `SELECT entry, base, fix FROM merge_entries
      WHERE repo = $1 AND work_item = $2 AND generation = $3 AND outcome IS NULL`,
    [repo, workItem, generation],
  );
}

/** The newest entry of a head of a task. */
export async function entryOfHead(
  db: Db,
  { repo, workItem, generation }: { repo: string; workItem: string; generation: number },
  head: string,
): Promise<MergeEntry | null> {
  return queryOne<MergeEntry>(
    db,
    `SELECT ${COLUMNS} FROM merge_entries WHERE repo = $1 AND work_item = $2 AND generation = $3 AND head = $4
      ORDER BY created_at DESC, entry LIMIT 1`,
    [repo, workItem, generation, head],
  );
}

/** The task is over: the queues that sent its work back for repair are told, if any did. */
export async function tellRepairEnded(tx: Tx, repo: string, workItem: string, generation: number): Promise<void> {
  const rows = await query<{ base: string }>(
    tx,
    `SELECT DISTINCT base FROM merge_entries
      WHERE repo = $1 AND work_item = $2 AND generation = $3 AND outcome->>'kind' = 'conflict'`,
    [repo, workItem, generation],
  );
  if (rows.length === 0) return;
  const bases = rows.map(({ base }) => base);
  await addToOutbox(tx, `repair:${repo}/${workItem}:g${generation}`, 'repair-ended', { repo, workItem, bases });
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
    [entry, json(outcome)],
  );
  return touched > 0;
}
