/** API tokens and the tickets that stand in for them. Only SHA-256 hashes are stored, never a secret. */
import { randomUUID } from 'node:crypto';
import { SignalboxError } from '../domain/errors.js';
import { execute, query, queryOne, type Db } from './db.js';

export interface Token {
  id: string;
  name: string;
  scopes: string[];
  /** Null = all repositories. */
  repos: string[] | null;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
  createdAt: string;
}

const COLUMNS = `id, name, scopes, repos, expires_at AS "expiresAt", revoked_at AS "revokedAt",
  last_used_at AS "lastUsedAt", created_at AS "createdAt"`;
const VALID = '(revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()))';

/** @param token `hash` is the SHA-256 of the secret */
export async function createToken(
  db: Db,
  token: {
    name: string;
    hash: Uint8Array;
    scopes: readonly string[];
    repos: readonly string[] | null;
    expiresAt: string | null;
  },
): Promise<Token> {
  const row = await queryOne<Token>(
    db,
    `INSERT INTO api_tokens (id, name, hash, scopes, repos, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
     RETURNING ${COLUMNS}`,
    [randomUUID(), token.name, Buffer.from(token.hash), token.scopes, token.repos, token.expiresAt],
  );
  if (row === null) throw new SignalboxError('internal', 'the token was not stored');
  return row;
}

/** The valid token with this hash: neither revoked nor expired. */
export async function findToken(db: Db, hash: Uint8Array): Promise<Token | null> {
  const token = await queryOne<Token & { stale: boolean }>(
    db,
    `SELECT ${COLUMNS}, (last_used_at IS NULL OR last_used_at < now() - interval '1 minute') AS stale
       FROM api_tokens WHERE hash = $1 AND ${VALID}`,
    [Buffer.from(hash)],
  );
  if (token === null) return null;
  const { stale, ...found } = token;
  // To the minute is enough; a write for each request is not worth it.
  if (stale) await execute(db, 'UPDATE api_tokens SET last_used_at = now() WHERE id = $1', [found.id]);
  return found;
}

/** Whether a token that was valid before still is: for answers that go on for long. */
export async function isTokenValid(db: Db, id: string): Promise<boolean> {
  return (await queryOne(db, `SELECT id FROM api_tokens WHERE id = $1 AND ${VALID}`, [id])) !== null;
}

/** All tokens, revoked ones too, oldest first. */
export async function listTokens(db: Db): Promise<Token[]> {
  return query<Token>(db, `SELECT ${COLUMNS} FROM api_tokens ORDER BY created_at, id`);
}

/** Ends a token, now; idempotent. Null when there is none. */
export async function revokeToken(db: Db, id: string): Promise<Token | null> {
  return queryOne<Token>(
    db,
    `UPDATE api_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING ${COLUMNS}`,
    [id],
  );
}

/** A ticket for the holder of a token; old ones are swept on the way. `expiresAt` is RFC 3339. */
export async function createTicket(db: Db, hash: Uint8Array, tokenId: string, expiresAt: string): Promise<void> {
  await execute(db, 'DELETE FROM tickets WHERE expires_at < now()');
  await execute(db, 'INSERT INTO tickets (hash, token_id, expires_at) VALUES ($1, $2, $3)', [
    Buffer.from(hash),
    tokenId,
    expiresAt,
  ]);
}

/** Uses a ticket up: the token behind it, if both are still valid. Only one of two that come at once gets it. */
export async function takeTicket(db: Db, hash: Uint8Array): Promise<Token | null> {
  return queryOne<Token>(
    db,
    `WITH taken AS (DELETE FROM tickets WHERE hash = $1 RETURNING token_id, expires_at AS ends)
     SELECT ${COLUMNS} FROM api_tokens JOIN taken ON taken.token_id = id WHERE taken.ends > now() AND ${VALID}`,
    [Buffer.from(hash)],
  );
}
