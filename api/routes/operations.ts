/** What operators look at: jobs, hosts, the audit. */
import { taskName } from '../../domain/tasks.js';
import { listAudit } from '../../store/audit.js';
import { listHosts } from '../../store/hosts.js';
import { queueCounts, recentJobs, type Job } from '../../store/jobs.js';
import { openEdges } from '../../store/task-dependencies.js';
import { principalOf } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { decodeIdCursor, DEFAULT_LIMIT, page } from '../pages.js';
import { listOf, open } from '../schemas/common.js';
import { AuditQuery, Jobs, JobsQuery } from '../schemas/system.js';

const showJob = (job: Job) => ({
  id: job.id,
  run: job.kind === 'agent' ? job.runId : null,
  check: job.kind === 'check' && job.runId !== job.workflowId ? job.runId : null,
  task: job.workItem === null ? null : taskName(job.repo, job.workItem),
  repo: job.repo,
  kind: job.kind,
  stage: job.stage,
  agent: job.agent,
  attempt: job.attempt,
  status: job.status,
  host: job.host,
  createdAt: job.createdAt,
  startedAt: job.startedAt,
  finishedAt: job.finishedAt,
  error: job.error,
});

export function operationsRoutes(app: App, deps: ApiDeps): void {
  const tags = ['operations'];
  app.get(
    '/api/queue',
    {
      config: { scope: 'tasks:read' },
      schema: { tags, summary: 'Executions of agents and checks', querystring: JobsQuery, response: { 200: Jobs } },
    },
    async (request) => {
      const { repos } = principalOf(request);
      const [counts, recent, dependencies] = await Promise.all([
        queueCounts(deps.pool, repos),
        recentJobs(deps.pool, request.query.limit ?? 10, repos),
        openEdges(deps.pool, repos),
      ]);
      return { counts, recent: recent.map(showJob), dependencies };
    },
  );
  app.get(
    '/api/audit',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Who did what, newest first',
        querystring: AuditQuery,
        response: { 200: listOf(open({})) },
      },
    },
    async (request) => {
      const limit = request.query.limit ?? DEFAULT_LIMIT;
      const before = decodeIdCursor(request.query.cursor);
      const rows = await listAudit(deps.pool, { subject: request.query.subject ?? null, before, limit: limit + 1 });
      return page(rows, limit, (row) => [String(row.id)]);
    },
  );
  app.get(
    '/api/hosts',
    {
      config: { scope: 'admin' },
      schema: { tags, summary: 'Machines that run agents, checks and git', response: { 200: listOf(open({})) } },
    },
    async () => ({ items: await listHosts(deps.pool, deps.settings.AGENT_STALE), next: null }),
  );
}
