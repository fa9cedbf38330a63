import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import { toStoreError } from './db.js';

/** The numbered SQL files are not compiled: from dist/store they lie two folders up. */
function migrationsDir(): string {
  const beside = fileURLToPath(new URL('./migrations', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../store/migrations', import.meta.url));
}

const silent = (): void => undefined;

/**
 * Brings the database up to date and returns the names of the migrations that were applied. Safe when several
 * processes start at once: one migrates under an advisory lock, the others wait for it and find nothing to do.
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  try {
    const applied = await runner({
      databaseUrl,
      dir: migrationsDir(),
      migrationsTable: 'migrations',
      direction: 'up',
      advisoryLockMode: 'wait',
      logger: { debug: silent, info: silent, warn: silent, error: silent },
    });
    return applied.map((m) => m.name);
  } catch (err) {
    throw toStoreError(err);
  }
}
