/** The document at /api/spec is generated from the routes; api/openapi.json is its committed copy (a test compares). */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifySchema } from 'fastify';
import type { App } from './context.js';
import { Problem } from './schemas/common.js';

/** Version of the interface, not of the package: it changes when the document changes in a way a client can see. */
export const API_VERSION = '1.0.0';

export async function useOpenApi(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Signalbox',
        description:
          'Tasks for coding agents, and the way of each change to the base branch. Errors are application/problem+json. ' +
          'Unknown fields are refused (400); what this version lacks is refused as `not-available` (422).',
        version: API_VERSION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A token `sbx_…`, from `POST /api/tokens`.' },
          ticket: {
            type: 'apiKey',
            in: 'query',
            name: 'ticket',
            description: 'Single use, 60 s, from `POST /api/tickets`; for event streams of browsers.',
          },
        },
      },
      security: [{ bearer: [] }],
    },
    hideUntagged: true,
    // Every route may answer with a problem; said here, for the document alone.
    transform: ({ schema, url }: { schema: FastifySchema | undefined; url: string }) => ({
      schema: { ...schema, response: { ...(schema?.response as object | undefined), default: Problem } },
      url,
    }),
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'list', deepLinking: false },
    staticCSP: true,
  });
  // Who opens the address of `up` in a browser.
  app.get('/', { config: { scope: 'public' } }, (_request, reply) => reply.redirect('/docs'));
  app.get('/api/spec', { config: { scope: 'public' } }, () => app.swagger());
}
