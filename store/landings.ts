/** Landings that were proven by reading the remote back. One for each entry, one for each task and generation. */
import { SignalboxError } from '../domain/errors.js';
import type { Landing } from '../domain/merge-queue/types.js';
import { execute, json, query, queryOne, type Db, type Tx } from './db.js';

/** `base` of a Landing is the oid it was checked on; the branch is in the row. */
const COLUMNS = `entry, task, generation, plan, head, commit, tree, base_oid AS base, verdict, at,
  checkout_behind AS "checkoutBehind"`;

/**
 * Stores a landing; the same one again changes nothing. Throws `internal` when the task landed in this generation with
 * another entry, or the entry with another commit: then a promise is broken and a person has to look.
 */
export async function insertLanding(
  db: Db,
  where: { repo: string; base: string; workItem: string },
  landing: Landing,
): Promise<void> {
  await execute(
    db,
    `INSERT INTO landings (entry, repo, base, task, work_item, generation, plan, head, commit, tree, base_oid, verdict, at,
       checkout_behind)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
    [
      ...[landing.entry, where.repo, where.base, landing.task, where.workItem, landing.generation, landing.plan],
      ...[landing.head, landing.commit, landing.tree, landing.base, landing.verdict, landing.at],
      json(landing.checkoutBehind ?? null),
    ],
  );
  const stored = await findLandingByGeneration(db, where.repo, where.workItem, landing.generation);
  if (stored?.entry !== landing.entry || stored.commit !== landing.commit) {
    const other = stored ? `${stored.commit} (entry ${stored.entry})` : 'another task';
    throw new SignalboxError('internal', `${landing.task} landed as ${landing.commit}, but the store has ${other}`);
  }
}

export async function findLandingByEntry(db: Db, entry: string): Promise<Landing | null> {
  return queryOne<Landing>(db, `SELECT ${COLUMNS} FROM landings WHERE entry = $1`, [entry]);
}

export async function findLandingByGeneration(
  db: Db,
  repo: string,
  workItem: string,
  generation: number,
): Promise<Landing | null> {
  return queryOne<Landing>(
    db,
    `SELECT ${COLUMNS} FROM landings WHERE repo = $1 AND work_item = $2 AND generation = $3`,
    [repo, workItem, generation],
  );
}

/** The newest landing on a base branch. */
export async function lastLanding(db: Db, repo: string, base: string): Promise<Landing | null> {
  return (await listLandings(db, repo, base, 1))[0] ?? null;
}

/** Newest first. */
export async function listLandings(db: Db, repo: string, base: string, limit = 50): Promise<Landing[]> {
  return query<Landing>(
    db,
    `SELECT ${COLUMNS} FROM landings WHERE repo = $1 AND base = $2 ORDER BY seq DESC LIMIT $3`,
    [repo, base, limit],
  );
}

/** All landings on a base branch. */
export async function allLandings(db: Db, repo: string, base: string): Promise<Landing[]> {
  return query<Landing>(db, `SELECT ${COLUMNS} FROM landings WHERE repo = $1 AND base = $2 ORDER BY seq`, [repo, base]);
}

/**
 * Adds those of these landings (oldest first) that are missing, and puts all of them in their order. Only while
 * `holdLandings` keeps others out. Gives the entries that were added.
 */
export async function restoreLandings(
  tx: Tx,
  { repo, base }: { repo: string; base: string },
  rows: readonly { workItem: string; landing: Landing }[],
): Promise<string[]> {
  const seqs = await query<{ seq: number }>(
    tx,
    `SELECT nextval(pg_get_serial_sequence('landings', 'seq')) AS seq FROM generate_series(1, $1::integer)`,
    [rows.length],
  );
  const inOrder = seqs.map(({ seq }) => seq).sort((a, b) => a - b);
  const stored = JSON.stringify(rows.map(({ workItem, landing }, i) => ({ ...landing, workItem, seq: inOrder[i] })));
  const added = await query<{ entry: string }>(
    tx,
    `INSERT INTO landings (entry, seq, repo, base, task, work_item, generation, plan, head, commit, tree, base_oid,
       verdict, at)
     SELECT entry, seq, $1, $2, task, "workItem", generation, plan, head, commit, tree, base, verdict, at
       FROM jsonb_to_recordset($3::jsonb) AS r (entry text, seq bigint, task text, "workItem" text, generation integer,
         plan text, head text, commit text, tree text, base text, verdict text, at timestamptz)
     ON CONFLICT DO NOTHING RETURNING entry`,
    [repo, base, stored],
  );
  if (added.length > 0) {
    await execute(
      tx,
      `UPDATE landings SET seq = r.seq FROM jsonb_to_recordset($1::jsonb) AS r (entry text, seq bigint)
        WHERE landings.entry = r.entry`,
      [stored],
    );
  }
  return added.map(({ entry }) => entry);
}

/** Keeps others from storing a landing until the transaction ends. */
export async function holdLandings(tx: Tx): Promise<void> {
  await execute(tx, 'LOCK TABLE landings IN SHARE ROW EXCLUSIVE MODE');
}
