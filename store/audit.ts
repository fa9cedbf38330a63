import { SignalboxError } from '../domain/errors.js';
import type { Decision } from '../domain/tasks.js';
import { execute, json, query, queryOne, type Db } from './db.js';

export interface AuditRow {
  id: number;
  at: string;
  actor: string;
  action: string;
  subject: string;
  /** `intended`, `accepted`, or `refused: <code>`. */
  result: string;
  detail: Record<string, unknown>;
}

/** Writes down who wanted what; returns the row's id, which a decision carries as its intent. */
export async function writeAudit(db: Db, row: Omit<AuditRow, 'id' | 'at'>): Promise<number> {
  const written = await queryOne<{ id: number }>(
    db,
    'INSERT INTO audit (actor, action, subject, result, detail) VALUES ($1, $2, $3, $4, $5) RETURNING id',
    [row.actor, row.action, row.subject, row.result, json(row.detail)],
  );
  if (written === null) throw new SignalboxError('internal', 'the audit row was not stored');
  return written.id;
}

/** Completes a row that was written before the action, when its result (and what it was done to) is known. */
export async function setAuditResult(
  db: Db,
  id: number,
  result: string,
  more: { subject?: string; detail?: Record<string, unknown> } = {},
): Promise<void> {
  await execute(
    db,
    `UPDATE audit SET result = $2, subject = coalesce($3, subject), detail = detail || coalesce($4::jsonb, '{}')
      WHERE id = $1`,
    [id, result, more.subject ?? null, more.detail === undefined ? null : json(more.detail)],
  );
}

/** Who asked for a cancel of this task by this row; null when the row is about anything else, or there is none. */
export async function actorOfCancel(db: Db, id: number, subject: string): Promise<string | null> {
  const row = await queryOne<{ actor: string }>(
    db,
    `SELECT actor FROM audit WHERE id = $1 AND subject = $2 AND action = 'task.cancel' AND result NOT LIKE 'refused%'`,
    [id, subject],
  );
  return row?.actor ?? null;
}

/** Who asked for exactly this decision; null when the row is about anything else, or there is none. */
export async function actorOfDecision(
  db: Db,
  id: number,
  subject: string,
  { stage, sha, verdict }: Pick<Decision, 'stage' | 'sha' | 'verdict'>,
): Promise<string | null> {
  const row = await queryOne<{ actor: string }>(
    db,
    `SELECT actor FROM audit WHERE id = $1 AND subject = $2 AND action = $3
        AND detail->>'stage' = $4 AND detail->>'sha' = $5 AND result NOT LIKE 'refused%'`,
    [id, subject, verdict === 'approved' ? 'task.approve' : 'task.reject', stage, sha],
  );
  return row?.actor ?? null;
}

/** Newest first; `before` = only rows with a lower id. */
export async function listAudit(
  db: Db,
  filter: { subject?: string | null; before?: number | null; limit?: number } = {},
): Promise<AuditRow[]> {
  return query<AuditRow>(
    db,
    `SELECT id, at, actor, action, subject, result, detail FROM audit
      WHERE ($1::text IS NULL OR subject = $1) AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
    [filter.subject ?? null, filter.before ?? null, filter.limit ?? 100],
  );
}

/** Rewinds of a base branch that people accepted, and when; `base` null in a row = the base of the repository. */
export async function acceptedRewinds(
  db: Db,
  repo: string,
  base: string,
  isDefault: boolean,
): Promise<{ tip: string; at: string }[]> {
  return query(
    db,
    `SELECT detail ->> 'acceptTip' AS tip, at FROM audit
      WHERE subject = $1 AND action = 'repo.resume' AND result = 'accepted' AND detail ->> 'acceptTip' IS NOT NULL
        AND (detail ->> 'base' = $2 OR ($3 AND detail ->> 'base' IS NULL))
      ORDER BY id`,
    [repo, base, isDefault],
  );
}
