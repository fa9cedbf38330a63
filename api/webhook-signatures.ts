/**
 * Who sent a delivery. The hook decides by which rule it is signed, never a header: of GitLab's two rules the secret
 * tells which one is meant. Signatures are over the bytes as they came. Without a secret nothing is believed.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { verify } from '@octokit/webhooks-methods';
import type { IncomingHttpHeaders } from 'node:http';
import { assertNever } from '../domain/errors.js';
import type { HookSource } from '../domain/webhooks.js';

type Headers = IncomingHttpHeaders;

/** True if one of the secrets made the signature. @param now milliseconds since the epoch */
export async function isSigned(
  source: HookSource,
  secrets: readonly string[],
  headers: Headers,
  body: Buffer,
  now: number,
): Promise<boolean> {
  const signed = await Promise.all(secrets.map((secret) => isSignedWith(source, secret, headers, body, now)));
  return signed.includes(true);
}

async function isSignedWith(
  source: HookSource,
  secret: string,
  headers: Headers,
  body: Buffer,
  now: number,
): Promise<boolean> {
  switch (source) {
    case 'github':
      return hub(secret, body, one(headers, 'x-hub-signature-256'));
    case 'gitea': {
      const hex = one(headers, 'x-gitea-signature') ?? one(headers, 'x-forgejo-signature');
      return hub(secret, body, hex === null ? null : `sha256=${hex}`);
    }
    case 'gitlab':
      return secret.startsWith(SIGNING)
        ? standard(secret, headers, body, now)
        : equal(one(headers, 'x-gitlab-token') ?? '', secret);
    default:
      return assertNever(source);
  }
}

async function hub(secret: string, body: Buffer, signature: string | null): Promise<boolean> {
  const text = body.toString('utf8');
  return signature !== null && text !== '' && verify(secret, text, signature);
}

/** Before the secrets of https://www.standardwebhooks.com. */
const SIGNING = 'whsec_';
const TOLERANCE_MS = 5 * 60_000;

function standard(secret: string, headers: Headers, body: Buffer, now: number): boolean {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((n) =>
    one(headers, n),
  );
  if (id == null || timestamp == null || signatures == null || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(now - Number(timestamp) * 1000) > TOLERANCE_MS) return false;
  const key = Buffer.from(secret.slice(SIGNING.length), 'base64');
  const made = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return signatures.split(' ').some((signature) => equal(signature, `v1,${made}`));
}

function equal(found: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(found), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A header that was sent once. */
function one(headers: Headers, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

const IDS: Record<HookSource, readonly string[]> = {
  github: ['x-github-delivery'],
  gitea: ['x-gitea-delivery', 'x-forgejo-delivery'],
  gitlab: ['webhook-id', 'idempotency-key', 'x-gitlab-event-uuid'],
};

/** What makes two deliveries the same: the sender's id for it, else the content. */
export function deliveryKey(source: HookSource, headers: Headers, body: Buffer): string {
  const given = IDS[source]
    .map((name) => one(headers, name))
    .find((id) => id !== null && /^[\x21-\x7e]{1,200}$/.test(id));
  return given === undefined || given === null
    ? `sha256:${createHash('sha256').update(body).digest('hex')}`
    : `id:${given}`;
}

const EVENTS: Record<HookSource, string> = {
  github: 'x-github-event',
  gitea: 'x-gitea-event',
  gitlab: 'x-gitlab-event',
};

export const eventOf = (source: HookSource, headers: Headers): string =>
  one(headers, EVENTS[source]) ?? one(headers, 'x-forgejo-event') ?? '';
