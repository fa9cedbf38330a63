/** Machines that run agents, checks and git: their slots and their presence, by the clock of the database. */
import { execute, query, queryOne, type Db } from './db.js';

export interface Host {
  id: string;
  incarnation: number;
  pid: number;
  agentSlots: number;
  checkSlots: number;
  info: Record<string, unknown>;
  startedAt: string;
  lastSeenAt: string;
  stoppedAt: string | null;
  live: boolean;
}

const columns = (staleMs: string): string => `id, incarnation, pid, agent_slots AS "agentSlots",
  check_slots AS "checkSlots", info, started_at AS "startedAt", last_seen_at AS "lastSeenAt",
  stopped_at AS "stoppedAt", ${LIVE(staleMs)} AS live`;

const LIVE = (staleMs: string): string =>
  `(stopped_at IS NULL AND last_seen_at > now() - ${staleMs} * interval '1 ms')`;

/** Speaks for the host from now on: its incarnation, higher than any before. */
export async function claimHost(
  db: Db,
  host: { id: string; pid: number; agentSlots: number; checkSlots: number; info: Record<string, unknown> },
): Promise<number> {
  const row = await queryOne<{ incarnation: number }>(
    db,
    `INSERT INTO hosts (id, incarnation, pid, agent_slots, check_slots, info) VALUES ($1, 1, $2, $3, $4, $5)
     ON CONFLICT (id) DO UPDATE SET incarnation = hosts.incarnation + 1, pid = $2, agent_slots = $3, check_slots = $4,
       info = $5, started_at = now(), last_seen_at = now(), stopped_at = NULL
     RETURNING incarnation`,
    [host.id, host.pid, host.agentSlots, host.checkSlots, JSON.stringify(host.info)],
  );
  return row?.incarnation ?? 1;
}

/** Says that the host lives; false when a newer process speaks for it. */
export async function heartbeatHost(db: Db, id: string, incarnation: number): Promise<boolean> {
  const touched = await execute(
    db,
    'UPDATE hosts SET last_seen_at = now(), stopped_at = NULL WHERE id = $1 AND incarnation = $2',
    [id, incarnation],
  );
  return touched > 0;
}

/** Says that the host stops in order; nothing happens when a newer process speaks for it. */
export async function stopHost(db: Db, id: string, incarnation: number): Promise<void> {
  await execute(db, 'UPDATE hosts SET stopped_at = now() WHERE id = $1 AND incarnation = $2', [id, incarnation]);
}

/** All hosts that ever were, by id, with `live` under this staleness (ms). */
export async function listHosts(db: Db, staleMs: number): Promise<Host[]> {
  return query<Host>(db, `SELECT ${columns('$1')} FROM hosts ORDER BY id`, [staleMs]);
}

/** Hosts that were seen within `staleMs` and did not stop. */
export async function liveHosts(db: Db, staleMs: number): Promise<Host[]> {
  return query<Host>(db, `SELECT ${columns('$1')} FROM hosts WHERE ${LIVE('$1')} ORDER BY id`, [staleMs]);
}

export async function getHost(db: Db, id: string, staleMs: number): Promise<Host | null> {
  return queryOne<Host>(db, `SELECT ${columns('$2')} FROM hosts WHERE id = $1`, [id, staleMs]);
}
