/** Landings that were proven by reading the remote back. One for each entry, one for each task and generation. */
import { SignalboxError } from '../domain/errors.js';
import type { Landing } from '../domain/merge-queue/types.js';
import { execute, json, query, queryOne, type Db } from './db.js';

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
