/**
 * What happened, in order, for /api/events and for timelines. An id is given out under a lock that is held until the
 * commit, so whoever has read up to an id has missed nothing below it.
 */
import pg from 'pg';
import { execute, json, lock, query, toStoreError, type Db, type Tx } from './db.js';

export type EventKind = 'task' | 'workspace' | 'merge-queue' | 'freeze';

export interface StoredEvent {
  /** Also the id of the SSE event. */
  id: number;
  at: string;
  kind: EventKind;
  repo: string;
  /** `web/ET-012` of a task or its work, `web/main` of a merge queue, `web` of a freeze. */
  subject: string;
  data: Record<string, unknown>;
}

export const EVENTS_CHANNEL = 'signalbox_events';

/** Appends one event. Call it last in its transaction: the lock is held until the commit. */
export async function appendEvent(
  tx: Tx,
  event: { kind: EventKind; repo: string; subject: string; data: Record<string, unknown> },
): Promise<void> {
  await lock(tx, 'events');
  await execute(
    tx,
    `WITH added AS (
       INSERT INTO events (at, kind, repo, subject, data) VALUES (clock_timestamp(), $1, $2, $3, $4) RETURNING id)
     SELECT pg_notify('${EVENTS_CHANNEL}', id::text) FROM added`,
    [event.kind, event.repo, event.subject, json(event.data)],
  );
}

export interface EventFilter {
  kinds?: readonly EventKind[] | null;
  /** Only these repositories; null = all. */
  repos?: readonly string[] | null;
  subject?: string | null;
  limit?: number;
}

/** Events after an id, oldest first. */
export async function readEvents(db: Db, after: number, filter: EventFilter = {}): Promise<StoredEvent[]> {
  return query<StoredEvent>(
    db,
    `SELECT id, at, kind, repo, subject, data FROM events
      WHERE id > $1 AND ($2::text[] IS NULL OR kind = ANY ($2)) AND ($3::text[] IS NULL OR repo = ANY ($3))
        AND ($4::text IS NULL OR subject = $4)
      ORDER BY id LIMIT $5`,
    [after, filter.kinds ?? null, filter.repos ?? null, filter.subject ?? null, filter.limit ?? 500],
  );
}

/** Id of the newest event, 0 when there is none: where a new listener begins. */
export async function lastEventId(db: Db): Promise<number> {
  const rows = await query<{ id: number }>(db, 'SELECT coalesce(max(id), 0)::bigint AS id FROM events');
  return rows[0]?.id ?? 0;
}

export interface Listener {
  close(): Promise<void>;
}

const RECONNECT_MS = 500;

/**
 * Hears notifications on channels over a connection of its own, which is made again whenever it breaks. `onNotify` is
 * also called after each (re)connection, since notifications in between were lost: it should read what is new.
 */
export async function listen(
  databaseUrl: string,
  channels: readonly string[],
  onNotify: (channel: string | null, payload: string) => void,
): Promise<Listener> {
  let closed = false;
  let current: pg.Client | null = null;
  let timer: NodeJS.Timeout | undefined;

  const connect = async (): Promise<void> => {
    const client = new pg.Client({ connectionString: databaseUrl, keepAlive: true });
    client.on('notification', (n) => onNotify(n.channel, n.payload ?? ''));
    client.on('error', () => undefined); // 'end' follows and reconnects
    client.once('end', () => {
      if (current === client) current = null;
      again();
    });
    try {
      await client.connect();
      for (const channel of channels) await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    } catch (err) {
      await client.end().catch(() => undefined); // it may never have been connected
      throw toStoreError(err);
    }
    current = client;
    if (isClosed()) await client.end();
    else onNotify(null, '');
  };
  const isClosed = (): boolean => closed;
  const again = (): void => {
    if (isClosed()) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      connect().catch(again);
    }, RECONNECT_MS);
  };

  try {
    await connect();
  } catch (err) {
    closed = true;
    clearTimeout(timer);
    throw err;
  }
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await current?.end();
    },
  };
}
