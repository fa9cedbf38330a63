/**
 * Server-sent events: a stream of numbered messages that ends when the client leaves, its token ends, or the server
 * closes.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isTokenValid } from '../store/tokens.js';
import { principalOf } from './auth.js';
import type { ApiDeps } from './deps.js';
import { Patience } from './patience.js';

const KEEP_ALIVE_MS = 15_000;
/** How long a quiet stream may outlive its token; before messages it is looked at each time. */
const TOKEN_CHECK_MS = 1000;
/** A reader that takes nothing for so long is cut off: its socket and what is buffered for it are ours. */
const STALLED_MS = 30_000;

export interface Message {
  /** Given back as Last-Event-ID on resume. */
  id: string;
  event?: string;
  data: unknown;
}

/**
 * Sends what `next` gives until it gives null (the end) or the client leaves. `next` waits by itself for news and
 * should look at `signal`; an empty list is a good answer.
 */
export async function stream(
  deps: ApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  next: (signal: AbortSignal) => Promise<Message[] | null>,
): Promise<void> {
  const gone = new AbortController();
  reply.raw.on('close', () => {
    gone.abort();
  });
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  });
  raw.write('retry: 1000\n\n');
  const { tokenId } = principalOf(request);
  let quiet = new Patience(KEEP_ALIVE_MS);
  let trusted = new Patience(TOKEN_CHECK_MS);
  try {
    while (!gone.signal.aborted) {
      const messages = await next(gone.signal);
      if (messages === null) break;
      if (messages.length > 0 || trusted.over) {
        if (!(await isTokenValid(deps.pool, tokenId))) break;
        trusted = new Patience(TOKEN_CHECK_MS);
      }
      for (const message of messages) raw.write(format(message));
      if (messages.length > 0) quiet = new Patience(KEEP_ALIVE_MS);
      else if (quiet.over) {
        raw.write(': still here\n\n');
        quiet = new Patience(KEEP_ALIVE_MS);
      }
      if (raw.writableNeedDrain && !(await drained(raw, gone.signal))) {
        raw.destroy();
        break;
      }
    }
  } catch (err) {
    // The answer has begun: the client sees the end of the stream and resumes with Last-Event-ID.
    request.log.warn({ err }, 'an event stream broke');
  } finally {
    raw.end();
  }
}

function format(message: Message): string {
  const event = message.event === undefined ? '' : `event: ${message.event}\n`;
  return `id: ${message.id}\n${event}data: ${JSON.stringify(message.data)}\n\n`;
}

/** False for a client that left, or that has read nothing for so long. */
function drained(raw: ServerResponse, gone: AbortSignal): Promise<boolean> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(STALLED_MS)]);
  // `once` throws when a signal ends the wait.
  return once(raw, 'drain', { signal }).then(
    () => true,
    () => false,
  );
}

/** Waits, or returns early when the client is gone. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, { signal });
  } catch (err) {
    if (!signal.aborted) throw err;
  }
}
