/** Predicted conflicts: what git said of pairs, the flags that stand, and the last scan of each base branch. */
import { describeObstacles, reviewFlags, type Review, type Scan } from '../domain/conflicts/flags.js';
import type { ConflictFlag, LiveHead, Pair, Prediction, ScanReport } from '../domain/conflicts/types.js';
import { execute, json, lock, query, queryOne, type Db, type Tx } from './db.js';
import { appendEvent } from './events.js';

/** Work items of the live tasks of a base branch: those that are known to have a head first, of them the last moved. */
export async function liveWork(db: Db, repo: string, base: string): Promise<string[]> {
  const rows = await query<{ workItem: string }>(
    db,
    `SELECT work_item AS "workItem" FROM tasks
      WHERE repo = $1 AND state NOT IN ('done', 'failed', 'cancelled')
        -- What is stacked on other work merges otherwise than its head alone.
        AND stack_base IS NULL AND NOT EXISTS (SELECT 1 FROM merge_entries m
          WHERE m.repo = $1 AND m.base = $2 AND m.work_item = tasks.work_item
            AND m.outcome IS NULL AND m.request->>'stackBase' IS NOT NULL)
        AND EXISTS (SELECT 1 FROM repos WHERE id = $1 AND base = $2)
      ORDER BY head IS NULL, tasks.updated_at DESC, work_item`,
    [repo, base],
  );
  return rows.map(({ workItem }) => workItem);
}

/** The heads that wait in the queue of a base branch, oldest first; without stacked ones, as in `liveWork`. */
export async function queuedHeads(
  db: Db,
  repo: string,
  base: string,
): Promise<{ entry: string; workItem: string; head: string }[]> {
  return query(
    db,
    `SELECT entry, work_item AS "workItem", head FROM merge_entries
      WHERE repo = $1 AND base = $2 AND outcome IS NULL AND request->>'stackBase' IS NULL
        AND NOT EXISTS (SELECT 1 FROM tasks t
          WHERE t.repo = $1 AND t.work_item = merge_entries.work_item AND t.stack_base IS NOT NULL)
      ORDER BY created_at, entry`,
    [repo, base],
  );
}

/** Number of a scan that begins now. */
export async function beginScan(db: Db, repo: string, base: string): Promise<number> {
  const row = await queryOne<{ begun: number }>(
    db,
    `INSERT INTO conflict_scans (repo, base, begun) VALUES ($1, $2, 1)
     ON CONFLICT (repo, base) DO UPDATE SET begun = conflict_scans.begun + 1 RETURNING begun`,
    [repo, base],
  );
  return row?.begun ?? 0;
}

/** What git said so far, with these attributes ('' = none). */
export async function knownPredictions(db: Db, repo: string, base: string, attributes: string): Promise<Prediction[]> {
  return query<Prediction>(
    db,
    'SELECT a, b, kind, paths FROM merge_predictions WHERE repo = $1 AND base = $2 AND attributes = $3',
    [repo, base, attributes],
  );
}

export interface FinishedScan {
  repo: string;
  base: string;
  /** From `beginScan`. */
  number: number;
  attributes: string;
  scan: Scan;
  /** Names of all live tasks. */
  live: string[];
  /** Of `scan.predictions`, those that were not known. */
  asked: Prediction[];
  seconds: number;
}

/**
 * Keeps what a scan found, raises and clears flags, and tells of both in the timeline of the task and in the events.
 * Null, and nothing changed, where a scan that began later was stored before. Call it last in its transaction.
 */
export async function storeScan(tx: Tx, finished: FinishedScan): Promise<Review | null> {
  const { repo, base, number, attributes, scan, asked } = finished;
  await lock(tx, 'conflicts', repo, base);
  const newest = await execute(
    tx,
    'UPDATE conflict_scans SET stored = $3 WHERE repo = $1 AND base = $2 AND stored < $3',
    [repo, base, number],
  );
  if (newest === 0) return null;
  await keepPredictions(tx, finished);
  const now = new Date().toISOString();
  const review = reviewFlags(await listFlags(tx, repo, base), finished.live, scan, now);
  await replaceFlags(tx, repo, base, review.flags);
  const { seconds } = finished;
  const size = { heads: scan.live.length, pairs: scan.predictions.length, asked: asked.length, seconds };
  await execute(
    tx,
    `UPDATE conflict_scans SET base_oid = $3, attributes = $4, live = $5, report = $6, at = $7, fault = NULL
      WHERE repo = $1 AND base = $2`,
    [repo, base, scan.baseOid, attributes, json(scan.live), json({ ...review.report, ...size }), now],
  );
  for (const flag of review.raised) await tell(tx, repo, base, 'workspace.conflict', flag);
  for (const flag of review.cleared) await tell(tx, repo, base, 'workspace.conflict-cleared', flag);
  return review;
}

async function keepPredictions(tx: Tx, { repo, base, attributes, scan, asked }: FinishedScan): Promise<void> {
  const commits = [scan.baseOid, ...scan.live.map(({ head }) => head)];
  await execute(
    tx,
    `DELETE FROM merge_predictions
      WHERE repo = $1 AND base = $2 AND (attributes <> $3 OR NOT (a = ANY ($4) AND b = ANY ($4)))`,
    [repo, base, attributes, commits],
  );
  if (asked.length === 0) return;
  await execute(
    tx,
    `INSERT INTO merge_predictions (repo, base, attributes, a, b, kind, paths)
     SELECT $1, $2, $3, p.a, p.b, p.kind, p.paths
       FROM jsonb_to_recordset($4) AS p (a text, b text, kind text, paths jsonb)
     ON CONFLICT DO NOTHING`,
    [repo, base, attributes, json(asked)],
  );
}

async function replaceFlags(tx: Tx, repo: string, base: string, flags: readonly ConflictFlag[]): Promise<void> {
  await execute(tx, 'DELETE FROM conflict_flags WHERE repo = $1 AND base = $2', [repo, base]);
  for (const { task, head, since, against } of flags) {
    await execute(
      tx,
      `INSERT INTO conflict_flags (repo, base, work_item, head, since, against) VALUES ($1, $2, $3, $4, $5, $6)`,
      [repo, base, task.slice(repo.length + 1), head, since, json(against)],
    );
  }
}

async function tell(tx: Tx, repo: string, base: string, type: string, flag: ConflictFlag): Promise<void> {
  const { task, head, since, against } = flag;
  const what = describeObstacles(against);
  const detail = type === 'workspace.conflict' ? `does not merge with ${what}` : `merges again (did not with ${what})`;
  await appendEvent(tx, {
    kind: 'workspace',
    repo,
    subject: task,
    data: { type, base, head, since, against, detail },
  });
}

/** Notes that a scan could not be made; what was known stays. */
export async function noteScanFault(db: Db, repo: string, base: string, number: number, fault: string): Promise<void> {
  await execute(db, 'UPDATE conflict_scans SET fault = $4 WHERE repo = $1 AND base = $2 AND stored < $3', [
    repo,
    base,
    number,
    fault,
  ]);
}

const FLAG = `repo || '/' || work_item AS task, head, since, against`;
/** A task that is over has none, whatever the last scan left. */
const LIVE = `EXISTS (SELECT 1 FROM tasks t WHERE t.repo = f.repo AND t.work_item = f.work_item
  AND t.state NOT IN ('done', 'failed', 'cancelled'))`;

/** The flags of a base branch, the oldest first. */
export async function listFlags(db: Db, repo: string, base: string): Promise<ConflictFlag[]> {
  return query<ConflictFlag>(
    db,
    `SELECT ${FLAG} FROM conflict_flags f WHERE repo = $1 AND base = $2 AND ${LIVE} ORDER BY since, work_item`,
    [repo, base],
  );
}

/** The flag of a live task; null when its work merges, as far as is known. */
export async function flagOf(db: Db, repo: string, workItem: string): Promise<ConflictFlag | null> {
  return queryOne<ConflictFlag>(
    db,
    `SELECT ${FLAG} FROM conflict_flags f WHERE repo = $1 AND work_item = $2 AND ${LIVE} ORDER BY since LIMIT 1`,
    [repo, workItem],
  );
}

export interface LastScan {
  /** Where base was; null before the first. */
  baseOid: string | null;
  /** What it looked at. */
  live: LiveHead[] | null;
  report:
    | (ScanReport & {
        /** Heads and pairs that it knows of, and for how many of these git was asked. */
        heads: number;
        pairs: number;
        asked: number;
        seconds: number;
      })
    | null;
  at: string | null;
  fault: string | null;
}

export async function lastScan(db: Db, repo: string, base: string): Promise<LastScan | null> {
  return queryOne<LastScan>(
    db,
    'SELECT base_oid AS "baseOid", live, report, at, fault FROM conflict_scans WHERE repo = $1 AND base = $2',
    [repo, base],
  );
}

/** The pairs of commits that do not merge, as the last scan knows them. */
export async function conflictingPairs(db: Db, repo: string, base: string): Promise<(Pair & { paths: string[] })[]> {
  return query(
    db,
    `SELECT p.a, p.b, p.paths FROM merge_predictions p JOIN conflict_scans s USING (repo, base, attributes)
      WHERE repo = $1 AND base = $2 AND kind = 'conflict' ORDER BY p.a, p.b LIMIT 1000`,
    [repo, base],
  );
}
