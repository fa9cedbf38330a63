import { createServer } from 'node:net';

/** A TCP port of the loopback that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}

/** Asks until the answer is not null or undefined; fails after the deadline with the last error, if there was one. */
export async function eventually<T>(
  ask: () => Promise<T | null | undefined> | T | null | undefined,
  { timeoutMs = 15_000, everyMs = 25, what = 'the condition' } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown = null;
  while (Date.now() < deadline) {
    try {
      const value = await ask();
      if (value !== null && value !== undefined) return value;
      last = null;
    } catch (err) {
      last = err;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  throw new Error(`${what} did not come within ${timeoutMs} ms`, { cause: last });
}
