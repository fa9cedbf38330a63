import { SignalboxError } from '../../domain/errors.js';
import { createTicket, createToken, listTokens, revokeToken } from '../../store/tokens.js';
import { audited } from '../audited.js';
import { hashSecret, newSecret, principalOf } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoNamed } from '../lookups.js';
import { page, decodeIdCursor, DEFAULT_LIMIT } from '../pages.js';
import { refuse } from '../refuse.js';
import { closed, idParams, pageQuery } from '../schemas/common.js';
import { CreateToken, NewToken, Ticket, Token, TokenList } from '../schemas/tokens.js';
import { Nothing } from '../schemas/tasks.js';

const TICKET_SECONDS = 60;

/** A time still to come; null = never. */
function readExpiry(text: string | null | undefined): Date | null {
  if (text === null || text === undefined) return null;
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) refuse('invalid-request', 'expiresAt', text, 'is not a time');
  if (at.getTime() <= Date.now()) refuse('invalid-request', 'expiresAt', text, 'must be in the future');
  return at;
}

export function tokenRoutes(app: App, deps: ApiDeps): void {
  const tags = ['tokens'];
  app.post(
    '/api/tokens',
    {
      config: { scope: 'admin', secretFields: ['secret'] },
      schema: {
        tags,
        summary: 'Make a token; its secret is shown this once',
        body: CreateToken,
        response: { 201: NewToken },
      },
    },
    async (request, reply) => {
      const { name, scopes, repos, expiresAt } = request.body;
      const token = await audited(deps, request, { action: 'token.create', subject: name }, async () => {
        const own = principalOf(request).repos;
        if (own !== null && (repos == null || repos.some((repo) => !own.includes(repo)))) {
          throw new SignalboxError('forbidden', 'a token cannot grant repositories that it is not granted itself');
        }
        for (const [i, repo] of (repos ?? []).entries()) await repoNamed(deps, `repos[${i}]`, repo);
        const secret = newSecret('sbx_');
        const expiry = readExpiry(expiresAt);
        const row = await createToken(deps.pool, {
          name,
          hash: hashSecret(secret),
          scopes,
          repos: repos ?? null,
          expiresAt: expiry?.toISOString() ?? null,
        });
        return { ...row, secret };
      });
      return reply.code(201).send(token);
    },
  );
  app.get(
    '/api/tokens',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Tokens, without secrets',
        querystring: closed(pageQuery),
        response: { 200: TokenList },
      },
    },
    async (request) => {
      const limit = request.query.limit ?? DEFAULT_LIMIT;
      const offset = decodeIdCursor(request.query.cursor) ?? 0;
      const rows = (await listTokens(deps.pool)).slice(offset, offset + limit + 1);
      return page(rows, limit, () => [String(offset + limit)]);
    },
  );
  app.delete(
    '/api/tokens/:id',
    {
      config: { scope: 'admin' },
      schema: { tags, summary: 'Revoke a token', params: idParams('Id of the token.'), response: { 200: Token } },
    },
    async (request) => {
      const { id } = request.params;
      return audited(deps, request, { action: 'token.revoke', subject: id }, async () => {
        const token = await revokeToken(deps.pool, id);
        if (token === null) throw new SignalboxError('not-found', `there is no token ${id}`);
        return token;
      });
    },
  );
  app.post(
    '/api/tickets',
    {
      config: { scope: 'any', secretFields: ['ticket'] },
      schema: { tags, summary: 'A ticket for an event stream of a browser', body: Nothing, response: { 200: Ticket } },
    },
    async (request) => {
      const ticket = newSecret('tkt_');
      const expiresAt = new Date(Date.now() + TICKET_SECONDS * 1000).toISOString();
      await createTicket(deps.pool, hashSecret(ticket), principalOf(request).tokenId, expiresAt);
      return { ticket, expiresAt };
    },
  );
}
