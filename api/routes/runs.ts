import type { FileHandle } from 'node:fs/promises';
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../../domain/errors.js';
import { getRun, type Run } from '../../store/runs.js';
import { requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { showRun } from '../run-answers.js';
import { openLog, readRange, readText } from '../run-log.js';
import { idParams } from '../schemas/common.js';
import { LogQuery, RunAnswer } from '../schemas/system.js';
import { pause, stream, type Message } from '../sse.js';

const POLL_MS = 250;
const CHUNK = 64 * 1024;

async function runOf(deps: ApiDeps, request: FastifyRequest, id: string): Promise<Run> {
  const run = await getRun(deps.pool, id);
  if (run === null) throw new SignalboxError('not-found', `there is no run ${id}`);
  requireRepo(request, run.repo);
  return run;
}

/** Where a follower goes on: the offset it has read to, from Last-Event-ID. */
function startOffset(request: FastifyRequest): number {
  const last = request.headers['last-event-id'];
  return typeof last === 'string' && /^\d{1,15}$/.test(last) ? Number(last) : 0;
}

/** Gives new output as it comes; ends once the run is over and everything was sent. */
function follower(
  deps: ApiDeps,
  run: Run,
  file: FileHandle,
  from: number,
): (s: AbortSignal) => Promise<Message[] | null> {
  let offset = from;
  return async (signal) => {
    const over = run.status !== 'running' || (await getRun(deps.pool, run.id))?.status !== 'running';
    const { text, bytes } = await readText(file, offset, CHUNK, over);
    if (bytes > 0) {
      offset += bytes;
      return [{ id: String(offset), event: 'log', data: { text } }];
    }
    if (over) return null;
    await pause(POLL_MS, signal);
    return [];
  };
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
        summary: 'Output of a run; takes `Range`, or streams with `follow`',
        params,
        querystring: LogQuery,
        security: [{ bearer: [] }, { ticket: [] }],
      },
    },
    async (request, reply) => {
      const run = await runOf(deps, request, request.params.id);
      const file = await openLog(deps.runsDir, run.logPath);
      if (request.query.follow === true) {
        try {
          await stream(deps, request, reply, follower(deps, run, file, startOffset(request)));
        } finally {
          await file.close();
        }
        return reply;
      }
      const { size } = await file.stat();
      let range;
      try {
        range = readRange(request.headers.range, size);
      } catch (err) {
        await file.close();
        reply.header('content-range', `bytes */${size}`);
        throw err;
      }
      const { start, end } = range ?? { start: 0, end: size - 1 };
      reply
        .type('text/plain; charset=utf-8')
        .header('x-content-type-options', 'nosniff')
        .header('accept-ranges', 'bytes')
        .header('content-length', end - start + 1);
      if (range !== null) reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
      if (size === 0) {
        await file.close();
        return reply.send('');
      }
      return reply.send(file.createReadStream({ start, end, autoClose: true }));
    },
  );
}
