import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { Health, Readiness } from '../schemas/system.js';
import { isReady } from '../readiness.js';

export function healthRoutes(app: App, deps: ApiDeps): void {
  app.get(
    '/health/live',
    {
      config: { scope: 'public' },
      schema: { tags: ['health'], summary: 'The process answers', response: { 200: Health } },
    },
    () => ({ status: 'ok', version: deps.version }),
  );
  app.get(
    '/health/ready',
    {
      config: { scope: 'public' },
      schema: {
        tags: ['health'],
        summary: 'Postgres and Temporal answer',
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (_request, reply) => {
      const parts = await isReady(deps);
      const ready = Object.values(parts).every((state) => state === 'ok');
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', parts });
    },
  );
}
