/**
 * Effects outside of Postgres that a transaction wants, carried out after its commit: at least once, each idempotent by
 * its key. A row is held by a row lock while it is carried out, so a process that dies gives it back at once.
 */
import { execute, json, query, queryOne, transaction, type Db, type Pool, type Tx } from './db.js';

/** What each kind of effect needs to know. */
export interface OutboxPayloads {
  /** Start the workflow of a task in this generation; `startAt` is where a redo begins. */
  'start-task': { repo: string; workItem: string; generation: number; startAt: unknown };
  /** Tell the workflow of a live task its title and priority, as the row has them then. */
  'task-changed': { repo: string; workItem: string };
  /** Tell the live tasks that come after this one to look at it again. */
  'task-moved': { repo: string; workItem: string };
  'run-granted': { workflowId: string; runId: string; host: string };
  /** The host of a running job went away or came back: its workflow is told what is so by then. */
  'host-changed': { runId: string };
  /** Tell the queue of an entry what people decided about it, as the row has it then. */
  'entry-edited': { entry: string };
  /** Show this change of a task, or a later one, at its pull request. */
  'pull-request': { repo: string; workItem: string; version: number };
  /** A forge has news of a commit that this workflow waits for. */
  'check-news': { workflowId: string; sha: string };
  /** Tell the queues that sent the work of this task back for repair that it is over. */
  'repair-ended': { repo: string; workItem: string; bases: string[] };
  'gate-changed': { repo: string; base: string | null; acceptTip: string | null };
}
export type OutboxKind = keyof OutboxPayloads;

export type OutboxRow = {
  [K in OutboxKind]: { id: number; key: string; kind: K; payload: OutboxPayloads[K]; attempts: number };
}[OutboxKind];

/** Asked of somebody outside, who may be slow or away: nothing else waits behind these. */
const OUTSIDE: readonly OutboxKind[] = ['pull-request'];

export const OUTBOX_CHANNEL = 'signalbox_outbox';

/** Wants an effect; the same key again changes nothing. */
export async function addToOutbox<K extends OutboxKind>(
  tx: Tx,
  key: string,
  kind: K,
  payload: OutboxPayloads[K],
): Promise<void> {
  await execute(
    tx,
    `WITH added AS (INSERT INTO outbox (key, kind, payload) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING RETURNING id)
     SELECT pg_notify('${OUTBOX_CHANNEL}', '') FROM added`,
    [key, kind, json(payload)],
  );
}

/** Wants an effect again that was carried out before; with a payload, also when there never was such a row. */
export async function addAgainToOutbox<K extends OutboxKind>(
  tx: Tx,
  key: string,
  kind: K,
  payload: OutboxPayloads[K],
): Promise<void> {
  await execute(
    tx,
    `WITH added AS (INSERT INTO outbox (key, kind, payload) VALUES ($1, $2, $3)
       ON CONFLICT (key) DO UPDATE SET done_at = NULL, attempts = 0, available_at = now() RETURNING id)
     SELECT pg_notify('${OUTBOX_CHANNEL}', '') FROM added`,
    [key, kind, json(payload)],
  );
}

export interface Backoff {
  baseMs: number;
  maxMs: number;
}

/**
 * Takes the oldest due row that nobody else holds, carries it out and marks it done; a failure puts it off. `outside`:
 * only those that are asked of somebody outside, else only the others.
 * Returns what was done, null when nothing is due.
 */
export async function carryOutNext(
  pool: Pool,
  backoff: Backoff,
  act: (row: OutboxRow) => Promise<void>,
  outside = false,
): Promise<{ row: OutboxRow; error: unknown } | null> {
  return transaction(pool, async (tx) => {
    const row = await queryOne<OutboxRow>(
      tx,
      `SELECT id, key, kind, payload, attempts FROM outbox
        WHERE done_at IS NULL AND available_at <= now() AND (kind = ANY ($1)) = $2
        ORDER BY available_at, id FOR UPDATE SKIP LOCKED LIMIT 1`,
      [OUTSIDE, outside],
    );
    if (row === null) return null;
    try {
      await act(row);
    } catch (error) {
      const delay = Math.min(backoff.baseMs * 2 ** Math.min(row.attempts, 20), backoff.maxMs);
      await execute(
        tx,
        `UPDATE outbox SET attempts = attempts + 1, error = $2, available_at = now() + $3 * interval '1 ms' WHERE id = $1`,
        [row.id, error instanceof Error ? error.message : String(error), delay],
      );
      return { row, error };
    }
    await execute(tx, 'UPDATE outbox SET done_at = now(), attempts = attempts + 1, error = NULL WHERE id = $1', [
      row.id,
    ]);
    return { row, error: null };
  });
}

/** Rows that are still to be carried out, oldest first, with the error of the last attempt. */
export async function openOutbox(db: Db): Promise<{ key: string; attempts: number; error: string | null }[]> {
  return query(db, 'SELECT key, attempts, error FROM outbox WHERE done_at IS NULL ORDER BY id');
}
