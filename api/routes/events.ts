import { lastEventId, readEvents } from '../../store/events.js';
import { principalOf, requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { EventsQuery } from '../schemas/system.js';
import { pause, stream } from '../sse.js';

const POLL_MS = 200;
const BATCH = 200;

export function eventRoutes(app: App, deps: ApiDeps): void {
  app.get(
    '/api/events',
    {
      config: { scope: 'tasks:read', tickets: true },
      schema: {
        tags: ['events'],
        summary:
          'Changes of tasks, predicted conflicts of their work, merge queues and freezes as server-sent events; `Last-Event-ID` resumes',
        querystring: EventsQuery,
        security: [{ bearer: [] }, { ticket: [] }],
      },
    },
    async (request, reply) => {
      const { repo } = request.query;
      if (repo !== undefined) requireRepo(request, repo);
      const repos = repo === undefined ? principalOf(request).repos : [repo];
      const last = request.headers['last-event-id'];
      let after = typeof last === 'string' && /^\d{1,15}$/.test(last) ? Number(last) : await lastEventId(deps.pool);
      await stream(deps, request, reply, async (signal) => {
        const events = await readEvents(deps.pool, after, { repos, limit: BATCH });
        after = events.at(-1)?.id ?? after;
        if (events.length < BATCH) await pause(POLL_MS, signal);
        return events.map(({ id, kind, ...event }) => ({ id: String(id), event: kind, data: { kind, ...event } }));
      });
      return reply;
    },
  );
}
