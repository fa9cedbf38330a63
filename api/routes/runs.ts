import path from 'node:path';
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../../domain/errors.js';
import { getRun, type Run } from '../../store/runs.js';
import { requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { sendLog } from '../log-answer.js';
import { showRun } from '../run-answers.js';
import { idParams } from '../schemas/common.js';
import { LogQuery, RunAnswer } from '../schemas/system.js';

async function runOf(deps: ApiDeps, request: FastifyRequest, id: string): Promise<Run> {
  const run = await getRun(deps.pool, id);
  if (run === null) throw new SignalboxError('not-found', `there is no run ${id}`);
  requireRepo(request, run.repo);
  return run;
}

export function runRoutes(app: App, deps: ApiDeps): void {
  const tags = ['runs'];
  const params = idParams('Id of the run.');
  app.get(
    '/api/runs/:id',
    {
      config: { scope: 'tasks:read' },
      schema: { tags, summary: 'A run of an agent', params, response: { 200: RunAnswer } },
    },
    async (request) => showRun(await runOf(deps, request, request.params.id)),
  );
  app.get(
    '/api/runs/:id/log',
    {
      config: { scope: 'tasks:read', tickets: true },
      schema: {
        tags,
        summary: 'Output of a run, one stream of it; takes `Range`, or streams with `follow`',
        params,
        querystring: LogQuery,
        security: [{ bearer: [] }, { ticket: [] }],
      },
    },
    async (request, reply) => {
      const run = await runOf(deps, request, request.params.id);
      const live = async () => run.status === 'running' && (await getRun(deps.pool, run.id))?.status === 'running';
      const runDir = run.logPath === null ? null : path.dirname(run.logPath);
      return sendLog(deps, request, reply, { runDir, live }, request.query);
    },
  );
}
