/** Merge queues as lists and the API show them: a mirror of their workflows. */
import type { QueueView } from '../domain/merge-queue/types.js';
import { execute, json, query, queryOne, type Db, type Tx } from './db.js';
import { isNewer, pastRuns, type MirrorVersion } from './mirror-version.js';

export async function getQueueView(db: Db, repo: string, base: string): Promise<QueueView | null> {
  const row = await queryOne<{ view: QueueView }>(db, 'SELECT view FROM merge_queues WHERE repo = $1 AND base = $2', [
    repo,
    base,
  ]);
  return row?.view ?? null;
}

/** Base branches of a repository that ever had a queue. */
export async function queueBases(db: Db, repo: string): Promise<string[]> {
  const rows = await query<{ base: string }>(
    db,
    `SELECT base FROM merge_queues WHERE repo = $1 UNION SELECT base FROM merge_entries WHERE repo = $1 ORDER BY base`,
    [repo],
  );
  return rows.map((r) => r.base);
}

/** Writes the picture unless a newer one is there (false). */
export async function mirrorQueue(tx: Tx, picture: { view: QueueView; runId: string; seq: number }): Promise<boolean> {
  const { repo, base } = picture.view;
  await execute(
    tx,
    `INSERT INTO merge_queues (repo, base, view) VALUES ($1, $2, $3) ON CONFLICT (repo, base) DO NOTHING`,
    [repo, base, json(picture.view)],
  );
  const stored = await queryOne<MirrorVersion>(
    tx,
    `SELECT mirror_run AS "mirrorRun", mirror_seq AS "mirrorSeq", mirror_past AS "mirrorPast"
       FROM merge_queues WHERE repo = $1 AND base = $2 FOR UPDATE`,
    [repo, base],
  );
  if (stored === null || !isNewer(stored, picture)) return false;
  await execute(
    tx,
    `UPDATE merge_queues SET view = $3, mirror_run = $4, mirror_seq = $5, mirror_past = $6, updated_at = now()
      WHERE repo = $1 AND base = $2`,
    [repo, base, json(picture.view), picture.runId, picture.seq, pastRuns(stored, picture.runId)],
  );
  return true;
}
