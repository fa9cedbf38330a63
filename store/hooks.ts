/** Hooks that forges deliver to, and what was delivered. */
import type { HookSource } from '../domain/webhooks.js';
import { execute, json, query, queryOne, type Db, type Tx } from './db.js';

export interface Hook {
  id: string;
  source: HookSource;
  /** One, or two while one replaces the other. Never in answers, logs or the audit. */
  secrets: string[];
  /** `owner/name` → repository. */
  projects: Record<string, string>;
  createdAt: string;
  updatedAt: string;
}

const COLUMNS = `id, source, secrets, projects, created_at AS "createdAt", updated_at AS "updatedAt"`;

export async function getHook(db: Db, id: string): Promise<Hook | null> {
  return queryOne<Hook>(db, `SELECT ${COLUMNS} FROM hooks WHERE id = $1`, [id]);
}

/** By id. */
export async function listHooks(db: Db): Promise<Hook[]> {
  return query<Hook>(db, `SELECT ${COLUMNS} FROM hooks ORDER BY id`);
}

/** Makes the hook, or puts it in place of the one before. */
export async function putHook(
  db: Db,
  { id, source, secrets, projects }: Pick<Hook, 'id' | 'source' | 'secrets' | 'projects'>,
): Promise<{ hook: Hook | null; created: boolean }> {
  const row = await queryOne<Hook & { created: boolean }>(
    db,
    `INSERT INTO hooks (id, source, secrets, projects) VALUES ($1, $2, $3, $4)
     ON CONFLICT (id) DO UPDATE SET source = excluded.source, secrets = excluded.secrets,
       projects = excluded.projects, updated_at = now()
     RETURNING ${COLUMNS}, xmax = 0 AS created`,
    [id, source, secrets, json(projects)],
  );
  if (row === null) return { hook: null, created: false };
  const { created, ...hook } = row;
  return { hook, created };
}

/** False when there is none. What it delivered is forgotten with it. */
export async function deleteHook(tx: Tx, id: string): Promise<boolean> {
  await execute(tx, 'DELETE FROM deliveries WHERE hook = $1', [id]);
  return (await execute(tx, 'DELETE FROM hooks WHERE id = $1', [id])) > 0;
}

/** False when this delivery was taken in before. */
export async function takeDelivery(tx: Tx, hook: string, key: string): Promise<boolean> {
  const added = await execute(tx, 'INSERT INTO deliveries (hook, key) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    hook,
    key,
  ]);
  return added > 0;
}

/** No sender tries one again after so long. */
export async function forgetOldDeliveries(db: Db): Promise<void> {
  await execute(db, `DELETE FROM deliveries WHERE at < now() - interval '30 days'`);
}
