import { createServer } from 'node:net';
import { SignalboxError } from '../../domain/errors.js';

/**
 * The wanted port of 127.0.0.1; for 0 the preferred one if it is free, else any free one. Somebody else may take it
 * before it is used; whoever starts a server on it must watch for that.
 * @param option of the command line that names another; null where there is none
 */
export async function choosePort(wanted: number, what: string, option: string | null, preferred = 0): Promise<number> {
  if (wanted === 0 && preferred !== 0) {
    // Taken by somebody since: any other will do.
    return tryPort(preferred, what, option).catch(async () => tryPort(0, what, option));
  }
  return tryPort(wanted, what, option);
}

async function tryPort(wanted: number, what: string, option: string | null): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (err: NodeJS.ErrnoException) => {
      reject(
        new SignalboxError(
          'start-failed',
          `port ${wanted} for ${what} ${reasonOf(err)}${option === null ? '' : `: give another with ${option} N (0 = any free one)`}`,
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

const reasonOf = (err: NodeJS.ErrnoException): string =>
  err.code === 'EADDRINUSE' ? 'is in use by another process' : `cannot be used (${err.code ?? err.message})`;
