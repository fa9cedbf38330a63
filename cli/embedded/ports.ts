import { createServer } from 'node:net';
import { SignalboxError } from '../../domain/errors.js';

/**
 * The wanted port of 127.0.0.1; for 0 the preferred one if it is free, else any free one. Somebody else may take it before it is used; whoever starts a
 * server on it must watch for that.
 */
export async function choosePort(wanted: number, what: string, preferred = 0): Promise<number> {
  if (wanted === 0 && preferred !== 0) {
    // Taken by somebody since: any other will do.
    return tryPort(preferred, what).catch(async () => tryPort(0, what));
  }
  return tryPort(wanted, what);
}

async function tryPort(wanted: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (err: NodeJS.ErrnoException) => {
      reject(
        new SignalboxError(
          'start-failed',
          `port ${wanted} for ${what} cannot be used (${err.code ?? err.message})`,
          {},
          { cause: err },
        ),
      );
    });
    server.listen({ host: '127.0.0.1', port: wanted }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}
