/** What requests can store, as one text: equal before and after a refusal. */
import type { Pool } from '../../store/db.js';

const TABLES = [
  ...['repos', 'tasks', 'agent_profiles', 'repo_gate', 'decisions', 'outbox', 'events', 'tickets', 'jobs'],
  ...['merge_entries', 'landings', 'hooks', 'deliveries'],
];

export async function stored(pool: Pool): Promise<string> {
  const parts = TABLES.map((table) => `SELECT '${table}' AS name, t::text AS row FROM ${table} t`);
  // The tokens of the requests themselves note when they were used.
  parts.push(`SELECT 'api_tokens', count(*)::text FROM api_tokens`);
  const { rows } = await pool.query<{ name: string; row: string }>(parts.join(' UNION ALL '));
  return JSON.stringify(rows.map((row) => JSON.stringify(row)).sort());
}
