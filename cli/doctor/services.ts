/** Postgres and Temporal: those that the environment names, else those of the running instance. */
import { createPool, queryOne, type Pool } from '../../store/db.js';
import { connectTemporal, searchAttributeFaults, type TemporalTarget } from '../../worker/temporal.js';
import { failed, guarded, ok, type Check } from './check.js';

const LEAST_POSTGRES = 140000;

/** Looks at the server and, when it answers, at more with its pool. */
export async function checkPostgres(url: string, more: (pool: Pool) => Promise<Check[]>): Promise<Check[]> {
  const pool = createPool(url, { max: 2 });
  const mend = 'start the server, or set DATABASE_URL to one that this machine reaches';
  try {
    return await guarded('postgres', mend, async () => {
      const row = await queryOne<{ number: number; version: string; tables: boolean }>(
        pool,
        `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
                to_regclass('tasks') IS NOT NULL AS tables`,
      );
      const version = row?.version ?? 'unknown';
      if ((row?.number ?? 0) < LEAST_POSTGRES) {
        return [failed('postgres', `version ${version} is older than 14`, 'upgrade the server')];
      }
      if (row?.tables !== true) return [ok('postgres', `${version}; its tables are made at the first start`)];
      return [ok('postgres', version), ...(await more(pool))];
    });
  } finally {
    await pool.end();
  }
}

export async function checkTemporal(target: TemporalTarget): Promise<Check[]> {
  const mend = 'start the server, or set TEMPORAL_ADDRESS (and Temporal’s own variables) to one that answers';
  return guarded('temporal', mend, async () => {
    const connection = await connectTemporal(target);
    try {
      const { serverVersion } = await connection.workflowService.getSystemInfo({});
      const server = ok('temporal', `server ${serverVersion} at ${target.address}`);
      const attributes = await guarded('search attributes', 'see the message', async () => {
        const faults = await searchAttributeFaults(connection, target.namespace);
        return faults.map((fault) =>
          failed(
            'search attributes',
            `${fault.name} ${fault.found === null ? 'is missing' : `is ${fault.found}`}`,
            fault.mend,
          ),
        );
      });
      return [server, ...(attributes.length > 0 ? attributes : [ok('search attributes', 'all five')])];
    } finally {
      await connection.close();
    }
  });
}
