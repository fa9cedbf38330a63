import path from 'node:path';
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../../domain/errors.js';
import { getJob, type Job } from '../../store/jobs.js';
import { requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { sendLog } from '../log-answer.js';
import { showCheck } from '../run-answers.js';
import { idParams } from '../schemas/common.js';
import { CheckAnswer, CheckLogQuery } from '../schemas/system.js';

/** Also known: the row of the workflow that wants the verdict. It has no output of its own. */
async function checkOf(deps: ApiDeps, request: FastifyRequest, id: string): Promise<Job> {
  const job = await getJob(deps.pool, id);
  if (job?.kind !== 'check' || job.runId === job.workflowId) {
    throw new SignalboxError('not-found', `there is no execution of checks ${id}`);
  }
  requireRepo(request, job.repo);
  return job;
}

export function checkRoutes(app: App, deps: ApiDeps): void {
  const tags = ['checks'];
  const params = idParams('Id of the execution.');
  app.get(
    '/api/checks/:id',
    {
      config: { scope: 'tasks:read' },
      schema: { tags, summary: 'One execution of the checks of a tree', params, response: { 200: CheckAnswer } },
    },
    async (request) => showCheck(await checkOf(deps, request, request.params.id)),
  );
  app.get(
    '/api/checks/:id/log',
    {
      config: { scope: 'tasks:read', tickets: true },
      schema: {
        tags,
        summary: 'Output of an execution of checks; takes `Range`, or streams with `follow`',
        params,
        querystring: CheckLogQuery,
        security: [{ bearer: [] }, { ticket: [] }],
      },
    },
    async (request, reply) => {
      const job = await checkOf(deps, request, request.params.id);
      const live = async () => job.status === 'running' && (await getJob(deps.pool, job.runId))?.status === 'running';
      return sendLog(deps, request, reply, { runDir: path.join(deps.runsDir, job.runId), live }, request.query);
    },
  );
}
