/** Idempotency keys of requests: claimed before the work, finished with the answer. A key belongs to a token. */
import { execute, queryOne, type Db } from './db.js';

export type KeyClaim =
  /** Do the work, then `finishKey` or `releaseKey`. */
  | { kind: 'claimed' }
  /** The first request was answered. */
  | { kind: 'answered'; status: number; response: unknown }
  /** The first request is still at work. */
  | { kind: 'pending' }
  /** The key was used for another request. */
  | { kind: 'mismatch' };

/** A claim without an answer is free again after this long: whoever held it died. */
const CLAIM_SECONDS = 60;

/** @param requestHash of everything that makes the request what it is */
export async function claimKey(db: Db, key: string, tokenId: string, requestHash: Uint8Array): Promise<KeyClaim> {
  const hash = Buffer.from(requestHash);
  const claimed = await execute(
    db,
    `INSERT INTO idempotency_keys (key, token_id, body_hash) VALUES ($1, $2, $3)
     ON CONFLICT (key, token_id) DO UPDATE SET created_at = now()
       WHERE idempotency_keys.status IS NULL AND idempotency_keys.body_hash = $3
         AND idempotency_keys.created_at < now() - ${CLAIM_SECONDS} * interval '1 second'`,
    [key, tokenId, hash],
  );
  if (claimed > 0) return { kind: 'claimed' };
  const row = await queryOne<{ same: boolean; status: number | null; response: unknown }>(
    db,
    'SELECT body_hash = $3 AS same, status, response FROM idempotency_keys WHERE key = $1 AND token_id = $2',
    [key, tokenId, hash],
  );
  if (row === null) return { kind: 'pending' }; // released just now: the next try gets it
  if (!row.same) return { kind: 'mismatch' };
  return row.status === null ? { kind: 'pending' } : { kind: 'answered', status: row.status, response: row.response };
}

/** Keeps the answer; a repeat gets it from now on. */
export async function finishKey(
  db: Db,
  key: string,
  tokenId: string,
  status: number,
  response: unknown,
): Promise<void> {
  await execute(
    db,
    'UPDATE idempotency_keys SET status = $3, response = $4 WHERE key = $1 AND token_id = $2 AND status IS NULL',
    [key, tokenId, status, JSON.stringify(response)],
  );
}

/** Gives an unanswered key back, so that the same request may be tried again. */
export async function releaseKey(db: Db, key: string, tokenId: string): Promise<void> {
  await execute(db, 'DELETE FROM idempotency_keys WHERE key = $1 AND token_id = $2 AND status IS NULL', [key, tokenId]);
}
