/** A log as an answer: the whole, a range of it, or a stream of what is still being written. */
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LOG_FILES, type LogStream } from '../domain/agents/logs.js';
import type { ApiDeps } from './deps.js';
import { openLog, readRange, readText } from './run-log.js';
import { pause, stream, type Message } from './sse.js';

const POLL_MS = 250;
const CHUNK = 64 * 1024;

export interface LogSource {
  /** The run directory; null = there is none yet. */
  runDir: string | null;
  /** Whether more may still be written. */
  live: () => Promise<boolean>;
}

/** Where a follower goes on: the offset it has read to, from Last-Event-ID. */
function startOffset(request: FastifyRequest): number {
  const last = request.headers['last-event-id'];
  return typeof last === 'string' && /^\d{1,15}$/.test(last) ? Number(last) : 0;
}

/** Gives new output as it comes; ends once the run is over and everything was sent. */
function follower(source: LogSource, file: FileHandle, from: number): (s: AbortSignal) => Promise<Message[] | null> {
  let offset = from;
  return async (signal) => {
    const over = !(await source.live());
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

/** Sends one log of a run directory; the file is closed whatever happens. */
export async function sendLog(
  deps: ApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  source: LogSource,
  query: { stream?: LogStream; follow?: boolean },
): Promise<FastifyReply> {
  const name = LOG_FILES[query.stream ?? 'stdout'];
  const file = await openLog(deps.runsDir, source.runDir === null ? null : path.join(source.runDir, name));
  if (query.follow === true) {
    try {
      await stream(deps, request, reply, follower(source, file, startOffset(request)));
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
}
