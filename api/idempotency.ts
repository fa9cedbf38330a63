/**
 * `Idempotency-Key` on any POST: the same key and request returns the first answer, the same key with another request
 * is refused. A key belongs to a token. Refusals before the route (shape, scope) take no key; server errors release it.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SignalboxError } from '../domain/errors.js';
import { claimKey, finishKey, releaseKey } from '../store/idempotency.js';
import type { ApiDeps } from './deps.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The key this request holds, until its answer is stored. */
    heldKey: string | null;
  }
  interface FastifyContextConfig {
    /** Fields of the answer that are never stored: a secret is shown once. */
    secretFields?: readonly string[];
  }
}

const KEY = /^[\x21-\x7e]{1,255}$/;

function requestHash(request: FastifyRequest): Buffer {
  const text = JSON.stringify([request.method, request.url, request.body ?? null]);
  return createHash('sha256').update(text).digest();
}

function withoutSecrets(request: FastifyRequest, payload: unknown): unknown {
  const answer: unknown = typeof payload === 'string' && payload !== '' ? JSON.parse(payload) : null;
  const hidden = request.routeOptions.config.secretFields ?? [];
  if (typeof answer !== 'object' || answer === null) return answer;
  return { ...answer, ...Object.fromEntries(hidden.filter((f) => f in answer).map((f) => [f, null])) };
}

export function useIdempotency(app: FastifyInstance, deps: ApiDeps): void {
  app.decorateRequest('heldKey', null);
  app.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (key === undefined || request.method !== 'POST' || request.principal === null) return;
    if (typeof key !== 'string' || !KEY.test(key)) {
      const message = 'must be 1 to 255 printable ASCII characters';
      throw new SignalboxError('invalid-request', `Idempotency-Key ${message}`, {
        faults: [{ field: 'Idempotency-Key', value: key, message }],
      });
    }
    const claim = await claimKey(deps.pool, key, request.principal.tokenId, requestHash(request));
    switch (claim.kind) {
      case 'claimed':
        request.heldKey = key;
        return;
      case 'mismatch':
        throw new SignalboxError('idempotency-mismatch', 'this Idempotency-Key was used for another request');
      case 'pending':
        throw new SignalboxError('conflict', 'the first request with this Idempotency-Key is still at work', {
          retryAfter: 1,
        });
      case 'answered':
        reply.header('idempotency-replayed', 'true');
        reply.type(claim.status >= 400 ? 'application/problem+json' : 'application/json');
        return reply.code(claim.status).send(JSON.stringify(claim.response));
    }
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const key = request.heldKey;
    if (key === null || request.principal === null) return payload;
    request.heldKey = null;
    if (reply.statusCode >= 500 || reply.statusCode === 429) {
      await releaseKey(deps.pool, key, request.principal.tokenId);
    } else {
      const answer = withoutSecrets(request, payload);
      await finishKey(deps.pool, key, request.principal.tokenId, reply.statusCode, answer);
    }
    return payload;
  });
}
