/**
 * Who may do what. A bearer token is 256 random bits behind `sbx_`; only its SHA-256 is stored, so a look-up by hash
 * leaks nothing by its timing. A ticket stands in for its token once, for event streams of browsers. Routes name the
 * scope they need; the repository of a path is checked here, one in a body by `requireRepo`.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SignalboxError } from '../domain/errors.js';
import { findToken, takeTicket } from '../store/tokens.js';
import type { ApiDeps } from './deps.js';

export const SCOPES = [
  'tasks:read',
  'tasks:write',
  'decisions:write',
  'agents:write',
  'commands:write',
  'repos:admin',
  'admin',
] as const;
export type Scope = (typeof SCOPES)[number];

export interface Principal {
  tokenId: string;
  /** As audit rows and decisions name it. */
  name: string;
  scopes: readonly string[];
  /** Repositories it is granted; null = all. */
  repos: readonly string[] | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on public routes. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** Scope that the route needs; `public` needs no token, `any` any valid one. */
    scope?: Scope | 'public' | 'any';
    /** The route is an event stream: a ticket in the query may stand in for the header. */
    tickets?: boolean;
  }
}

export const newSecret = (prefix: string): string => prefix + randomBytes(32).toString('base64url');
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

const unauthenticated = (): SignalboxError =>
  new SignalboxError('unauthenticated', 'send a valid token as "Authorization: Bearer sbx_…"');

const BEARER = /^Bearer (sbx_[A-Za-z0-9_-]{20,200})$/i;

/** A secret in the query would end up in logs and histories of browsers, whatever its parameter is called. */
function refuseTokenInQuery(request: FastifyRequest): void {
  const query = request.url.split('?')[1] ?? '';
  if (/(^|&)(token|access_token|authorization|bearer|api_key)=/i.test(query) || /sbx_/i.test(query)) {
    throw new SignalboxError('unauthenticated', 'a token in the query string is refused; use the Authorization header');
  }
}

async function authenticate(deps: ApiDeps, request: FastifyRequest): Promise<Principal> {
  const header = request.headers.authorization;
  const ticket = (request.query as Record<string, unknown>).ticket;
  if (header === undefined && request.routeOptions.config.tickets === true && typeof ticket === 'string') {
    const found = await takeTicket(deps.pool, hashSecret(ticket));
    if (found === null) throw unauthenticated();
    return { tokenId: found.id, name: found.name, scopes: found.scopes, repos: found.repos };
  }
  const secret = BEARER.exec(header ?? '')?.[1];
  if (secret === undefined) throw unauthenticated();
  const found = await findToken(deps.pool, hashSecret(secret));
  if (found === null) throw unauthenticated();
  return { tokenId: found.id, name: found.name, scopes: found.scopes, repos: found.repos };
}

/** The caller; only for routes that are not public. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new SignalboxError('internal', 'a public route asked for its caller');
  return request.principal;
}

/** The same answer whether the repository exists or not. */
export function requireRepo(request: FastifyRequest, repo: string): void {
  const { repos } = principalOf(request);
  if (repos !== null && !repos.includes(repo)) {
    throw new SignalboxError('forbidden', `the token is not granted repository ${repo}`);
  }
}

export function requireScope(request: FastifyRequest, scope: Scope): void {
  if (!principalOf(request).scopes.includes(scope)) {
    throw new SignalboxError('forbidden', `the token lacks the scope ${scope}`, { scope });
  }
}

/** Wrong tokens of one address in a minute before it has to wait; guessing 256 bits is hopeless, the load is not. */
const FAILURES_A_MINUTE = 300;

function isPublic(request: FastifyRequest): boolean {
  const { config, url } = request.routeOptions;
  return config.scope === 'public' || url === '/docs' || (url?.startsWith('/docs/') ?? false);
}

/** To be registered after the rate limit plugin. */
export function useAuth(app: FastifyInstance, deps: ApiDeps): void {
  app.decorateRequest('principal', null);
  const failures = app.createRateLimit({
    max: FAILURES_A_MINUTE,
    timeWindow: '1 minute',
    keyGenerator: (request) => request.ip,
  });
  app.addHook('onRequest', async (request) => {
    refuseTokenInQuery(request);
    if (isPublic(request)) return;
    // Unknown routes are told apart from known ones only by those who may look.
    const scope = request.routeOptions.config.scope ?? 'any';
    try {
      request.principal = await authenticate(deps, request);
    } catch (err) {
      if (err instanceof SignalboxError && err.code === 'unauthenticated') {
        const limit = await failures(request);
        if (!limit.isAllowed && limit.isExceeded) {
          throw new SignalboxError('rate-limited', 'too many wrong tokens', { retryAfter: limit.ttlInSeconds });
        }
      }
      throw err;
    }
    if (scope !== 'any' && scope !== 'public') requireScope(request, scope);
    const repo = (request.params as Record<string, string> | undefined)?.repo;
    if (repo !== undefined) requireRepo(request, repo);
  });
}
