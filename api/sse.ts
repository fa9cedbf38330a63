/** Server-sent events: a stream of numbered messages that ends when the client leaves or the server closes. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';

const KEEP_ALIVE_MS = 15_000;

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
  let lastWrite = Date.now();
  try {
    while (!gone.signal.aborted) {
      const messages = await next(gone.signal);
      if (messages === null) break;
      for (const message of messages) raw.write(format(message));
      if (messages.length > 0) lastWrite = Date.now();
      else if (Date.now() - lastWrite > KEEP_ALIVE_MS) {
        raw.write(': still here\n\n');
        lastWrite = Date.now();
      }
      if (raw.writableNeedDrain) await drained(raw, gone.signal);
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

function drained(raw: ServerResponse, signal: AbortSignal): Promise<void> {
  // `once` throws when the signal ends the wait: the client is gone, and the loop sees it.
  return once(raw, 'drain', { signal }).then(
    () => undefined,
    () => undefined,
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
