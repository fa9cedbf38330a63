import type { AgentProfile } from '../domain/agents/types.js';
import { execute, query, queryOne, type Db } from './db.js';

/** Stores a profile under its name, in place of the one before. */
export async function putProfile(db: Db, profile: AgentProfile): Promise<void> {
  await execute(
    db,
    `INSERT INTO agent_profiles (name, profile) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET profile = excluded.profile, updated_at = now()`,
    [profile.name, JSON.stringify(profile)],
  );
}

/** The profile of this name, else the one called `default`, else null. */
export async function findProfile(db: Db, name: string): Promise<AgentProfile | null> {
  const row = await queryOne<{ profile: AgentProfile }>(
    db,
    `SELECT profile FROM agent_profiles WHERE name IN ($1, 'default') ORDER BY name = $1 DESC LIMIT 1`,
    [name],
  );
  return row?.profile ?? null;
}

/** By name. */
export async function listProfiles(db: Db): Promise<AgentProfile[]> {
  const rows = await query<{ profile: AgentProfile }>(db, 'SELECT profile FROM agent_profiles ORDER BY name');
  return rows.map((r) => r.profile);
}
