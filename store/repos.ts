import { SignalboxError } from '../domain/errors.js';
import type { Repo, RepoConfig, RepoFacts } from '../domain/repos.js';
import { execute, lock, query, queryOne, transaction, violatesUnique, type Db, type Pool, type Tx } from './db.js';

const COLUMNS = `id, remote, remote_key AS "remoteKey", base, prefix, config, facts, adopted_at AS "adoptedAt",
  created_at AS "createdAt"`;

/**
 * Stores a repository. `created: false` = the id was there already; the caller compares the content.
 * Throws `conflict` when the same remote and base belong to another id, or the same remote and prefix: the heads of both
 * would have the same names.
 */
export async function insertRepo(pool: Pool, repo: Omit<Repo, 'createdAt'>): Promise<{ repo: Repo; created: boolean }> {
  return transaction(pool, async (tx) => {
    await lock(tx, 'repos');
    const existing = await getRepo(tx, repo.id);
    if (existing !== null) return { repo: existing, created: false };
    const other = await findRepoByRemote(tx, repo.remoteKey, repo.base);
    if (other !== null) throw sameRemote(other.id);
    const twin = await queryOne<{ id: string }>(tx, 'SELECT id FROM repos WHERE remote_key = $1 AND prefix = $2', [
      ...[repo.remoteKey, repo.prefix],
    ]);
    if (twin !== null) throw samePrefix(twin.id, repo.prefix);
    const row = await queryOne<Repo>(
      tx,
      `INSERT INTO repos (id, remote, remote_key, base, prefix, config, facts, adopted_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${COLUMNS}`,
      [
        ...[repo.id, repo.remote, repo.remoteKey, repo.base, repo.prefix],
        ...[JSON.stringify(repo.config), JSON.stringify(repo.facts), repo.adoptedAt],
      ],
    );
    if (row === null) throw new SignalboxError('internal', `repository ${repo.id} was not stored`);
    return { repo: row, created: true };
  });
}

const sameRemote = (id: string): SignalboxError =>
  new SignalboxError('conflict', `this remote and base branch belong to the repository ${id}`, { repo: id });

function samePrefix(id: string, prefix: string): SignalboxError {
  const message = `the repository ${id} of the same remote names its work items ${prefix}-… too; give another prefix`;
  return new SignalboxError('conflict', message, { faults: [{ field: 'workItemPrefix', value: prefix, message }] });
}

export async function getRepo(db: Db, id: string): Promise<Repo | null> {
  return queryOne<Repo>(db, `SELECT ${COLUMNS} FROM repos WHERE id = $1`, [id]);
}

/** The row, kept from other writers until the transaction ends: what is decided on it is decided on the newest. */
export async function lockRepo(tx: Tx, id: string): Promise<Repo | null> {
  return queryOne<Repo>(tx, `SELECT ${COLUMNS} FROM repos WHERE id = $1 FOR NO KEY UPDATE`, [id]);
}

/** @param remoteKey the normalised address */
export async function findRepoByRemote(db: Db, remoteKey: string, base: string): Promise<Repo | null> {
  return queryOne<Repo>(db, `SELECT ${COLUMNS} FROM repos WHERE remote_key = $1 AND base = $2`, [remoteKey, base]);
}

/** By id; `ids` = only these. */
export async function listRepos(db: Db, ids: readonly string[] | null = null): Promise<Repo[]> {
  return query<Repo>(db, `SELECT ${COLUMNS} FROM repos WHERE $1::text[] IS NULL OR id = ANY ($1) ORDER BY id`, [ids]);
}

export interface RepoPatch {
  remote?: string;
  remoteKey?: string;
  base?: string;
  prefix?: string;
  config?: RepoConfig;
  /** Only what was found out anew; the rest stays as it is. */
  facts?: Partial<RepoFacts>;
  adoptedAt?: string;
}

/** Changes what is given; null when there is no such repository. Throws `conflict` like `insertRepo`. */
export async function updateRepo(db: Db, id: string, patch: RepoPatch): Promise<Repo | null> {
  try {
    return await queryOne<Repo>(
      db,
      `UPDATE repos SET remote = coalesce($2, remote), remote_key = coalesce($3, remote_key), base = coalesce($4, base),
         prefix = coalesce($5, prefix), config = coalesce($6::jsonb, config), facts = facts || coalesce($7::jsonb, '{}'),
         adopted_at = coalesce($8, adopted_at), updated_at = now()
       WHERE id = $1 RETURNING ${COLUMNS}`,
      [
        ...[id, patch.remote ?? null, patch.remoteKey ?? null, patch.base ?? null, patch.prefix ?? null],
        ...[patch.config ? JSON.stringify(patch.config) : null, patch.facts ? JSON.stringify(patch.facts) : null],
        patch.adoptedAt ?? null,
      ],
    );
  } catch (err) {
    if (violatesUnique(err, 'repos_remote_key_base_key')) throw sameRemote('another id');
    throw err;
  }
}

const TABLES_OF_A_REPO = [
  ...[
    'decisions',
    'agent_runs',
    'jobs',
    'merge_entries',
    'merge_queues',
    'landings',
    'verdicts',
    'repo_gate',
    'task_dependencies',
    'tasks',
  ],
  ...['pull_requests', 'external_waits'],
];

/**
 * Deletes a repository and its records; events and audit stay, and its numbers are never given out again.
 * False when there is none; throws `conflict` while it has live tasks.
 */
export async function deleteRepo(pool: Pool, id: string): Promise<boolean> {
  return transaction(pool, async (tx) => {
    // Keeps new tasks out: their foreign key needs this row.
    const found = await queryOne(tx, 'SELECT id FROM repos WHERE id = $1 FOR UPDATE', [id]);
    if (found === null) return false;
    const live = await query<{ task: string }>(
      tx,
      `SELECT repo || '/' || work_item AS task FROM tasks
        WHERE repo = $1 AND state NOT IN ('done', 'failed', 'cancelled') ORDER BY created_at`,
      [id],
    );
    if (live.length > 0) {
      const names = live.map((t) => t.task);
      throw new SignalboxError('conflict', `${id} has live tasks: ${names.slice(0, 10).join(', ')}`, { tasks: names });
    }
    await execute(
      tx,
      `INSERT INTO used_numbers (repo, prefix, highest)
         SELECT repo, prefix, max(number) FROM tasks WHERE repo = $1 GROUP BY repo, prefix
       ON CONFLICT (repo, prefix) DO UPDATE SET highest = greatest(used_numbers.highest, excluded.highest)`,
      [id],
    );
    for (const table of TABLES_OF_A_REPO) await execute(tx, `DELETE FROM ${table} WHERE repo = $1`, [id]);
    await execute(tx, 'DELETE FROM repos WHERE id = $1', [id]);
    return true;
  });
}
