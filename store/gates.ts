/** Pauses, drains and freezes. A gate stands while its row is not cleared; rows are kept as history. */
import { randomUUID } from 'node:crypto';
import type { Gate } from '../domain/merge-queue/types.js';
import { query, queryOne, type Db, type Tx } from './db.js';
import { appendEvent } from './events.js';
import { addToOutbox } from './outbox.js';
import { SignalboxError } from '../domain/errors.js';

const COLUMNS = 'id, repo, kind, scope, base, reason, by, since';

/** A gate with its end, for the history. */
export interface PastGate extends Gate {
  clearedAt: string | null;
  clearedBy: string | null;
}

/** Sets a gate and wakes the queues it concerns. */
export async function addGate(tx: Tx, gate: Omit<Gate, 'id' | 'since'>): Promise<Gate> {
  const row = await queryOne<Gate>(
    tx,
    `INSERT INTO repo_gate (repo, kind, scope, base, reason, by) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}`,
    [gate.repo, gate.kind, gate.scope, gate.base, gate.reason, gate.by],
  );
  if (row === null) throw new SignalboxError('internal', 'the gate was not stored');
  await wakeQueues(tx, gate.repo, gate.base, null);
  await tell(tx, row.repo, { type: 'set', gate: row, by: row.by });
  return row;
}

export interface ClearGates {
  repo: string;
  kinds: readonly Gate['kind'][];
  /** Only this one; null = all of these kinds. */
  id: number | null;
  /** Only gates of this base (those of all bases stay); null = all. */
  base: string | null;
  /** Only gates of this scope; null = of any. */
  scope: Gate['scope'] | null;
  by: string;
  /** With a resume: the rewound tip that is accepted. */
  acceptTip: string | null;
}

/** Clears active gates, wakes the queues, and returns what was cleared. A block is tried again also where no gate stood. */
export async function clearGates(tx: Tx, clear: ClearGates): Promise<PastGate[]> {
  const cleared = await query<PastGate>(
    tx,
    `UPDATE repo_gate SET cleared_at = now(), cleared_by = $5
      WHERE repo = $1 AND cleared_at IS NULL AND kind = ANY ($2) AND ($3::bigint IS NULL OR id = $3)
        AND ($4::text IS NULL OR base = $4) AND ($6::text IS NULL OR scope = $6)
      RETURNING ${COLUMNS}, cleared_at AS "clearedAt", cleared_by AS "clearedBy"`,
    [clear.repo, clear.kinds, clear.id, clear.base, clear.by, clear.scope],
  );
  await wakeQueues(tx, clear.repo, clear.base, clear.acceptTip);
  for (const gate of cleared) await tell(tx, gate.repo, { type: 'cleared', gate, by: clear.by });
  return cleared;
}

/** Makes the queues read their gates again; with `acceptTip`, tells them which rewound tip a person accepted. */
export async function wakeQueues(tx: Tx, repo: string, base: string | null, acceptTip: string | null): Promise<void> {
  await addToOutbox(tx, `gate:${repo}:${randomUUID()}`, 'gate-changed', { repo, base, acceptTip });
}

/** Gates that stand, oldest first; `base` = those that concern this branch. */
export async function activeGates(db: Db, repo: string, base: string | null = null): Promise<Gate[]> {
  return query<Gate>(
    db,
    `SELECT ${COLUMNS} FROM repo_gate
      WHERE repo = $1 AND cleared_at IS NULL AND ($2::text IS NULL OR base IS NULL OR base = $2) ORDER BY id`,
    [repo, base],
  );
}

/** All gates that ever stood, newest first. */
export async function gateHistory(db: Db, repo: string, kind: Gate['kind'] | null = null): Promise<PastGate[]> {
  return query<PastGate>(
    db,
    `SELECT ${COLUMNS}, cleared_at AS "clearedAt", cleared_by AS "clearedBy" FROM repo_gate
      WHERE repo = $1 AND ($2::text IS NULL OR kind = $2) ORDER BY id DESC`,
    [repo, kind],
  );
}

async function tell(tx: Tx, repo: string, data: { type: string; gate: Gate; by: string }): Promise<void> {
  await appendEvent(tx, { kind: 'freeze', repo, subject: repo, data: { ...data, gate: { ...data.gate } } });
}
