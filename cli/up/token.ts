/** The token of the instance, with every scope: made once, its secret kept in the data directory (mode 600). */
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createToken, findToken } from '../../store/tokens.js';
import type { Pool } from '../../store/db.js';
import { violatesUnique } from '../../store/db.js';
import { writePrivate } from './files.js';

const SCOPES = [
  ...['tasks:read', 'tasks:write', 'decisions:write', 'agents:write', 'commands:write', 'repos:admin', 'admin'],
];

export async function bootstrapToken(pool: Pool, dataDir: string): Promise<string> {
  const file = path.join(dataDir, 'token');
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept !== '' && (await findToken(pool, hash(kept))) !== null) return kept;
  const secret = kept === '' ? await makeSecret(file) : kept;
  try {
    await store(pool, secret);
    return secret;
  } catch (err) {
    // The kept one was revoked: a revoked secret never comes back.
    if (!violatesUnique(err, 'api_tokens_hash_key')) throw err;
    const fresh = await makeSecret(file);
    await store(pool, fresh);
    return fresh;
  }
}

const hash = (secret: string): Buffer => createHash('sha256').update(secret).digest();

async function makeSecret(file: string): Promise<string> {
  const secret = `sbx_${randomBytes(32).toString('base64url')}`;
  await writePrivate(file, `${secret}\n`);
  return secret;
}

async function store(pool: Pool, secret: string): Promise<void> {
  await createToken(pool, { name: 'up', hash: hash(secret), scopes: SCOPES, repos: null, expiresAt: null });
}
