/** A web page that points its own name at 127.0.0.1 must not reach the API: only known Host names are answered. */
import type { FastifyInstance } from 'fastify';
import { SignalboxError } from '../domain/errors.js';

const LOCAL = ['127.0.0.1', 'localhost', '[::1]'];

/** `name:port` → `name`, lower case; null for what is no host header at all. */
export function hostName(header: string | undefined): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header ?? '');
  return match?.[1]?.toLowerCase() ?? null;
}

export function useHostCheck(app: FastifyInstance, allowedHosts: readonly string[]): void {
  const allowed = new Set([...LOCAL, ...allowedHosts.map((h) => h.toLowerCase())]);
  app.addHook('onRequest', (request, _reply, done) => {
    const name = hostName(request.headers.host);
    if (name !== null && allowed.has(name)) {
      done();
      return;
    }
    done(new SignalboxError('unknown-host', 'this server does not answer for that host name'));
  });
}
