/** The first start on a new machine, as an ordinary user and (where the tests run as root) as root: nothing is cached. */
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { entrypoint } from '../../activities/entrypoint.js';

const root = process.getuid?.() === 0;
/** nobody and nogroup of every Debian. */
const NOBODY = 65534;

const users = [
  { name: 'an ordinary user in a private home', uid: root ? NOBODY : process.getuid?.(), mode: 0o700 },
  ...(root
    ? [
        { name: 'root in a directory that others can pass', uid: 0, mode: 0o755 },
        { name: 'root in a private directory', uid: 0, mode: 0o700 },
      ]
    : []),
];

test.each(users)('up, kill -9, up with empty caches as $name', async ({ uid, mode }) => {
  const home = await mkdtemp(path.join(os.tmpdir(), 'signalbox-new-'));
  await chmod(home, mode);
  if (root && uid !== undefined) await chown(home, uid, uid);
  try {
    const first = await up(home, uid);
    expect(await (await fetch(`${first.ready.api}/health/ready`)).json()).toMatchObject({ status: 'ok' });
    await first.end('SIGKILL');
    const second = await up(home, uid);
    expect(second.ready.token).toBe(first.ready.token);
    expect((await stat(path.join(home, 'data', 'token'))).uid).toBe(uid);
    expect(await second.end('SIGTERM')).toBe(0);
  } finally {
    // Where the database lies when the user postgres cannot reach the data directory.
    const place = await readFile(path.join(home, 'data', 'postgres-place'), 'utf8').catch(() => null);
    if (place !== null) await rm(place.trim(), { recursive: true, force: true });
    await rm(home, { recursive: true, force: true });
  }
});

interface Up {
  ready: { api: string; token: string };
  /** Exit code. */
  end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<number | undefined>;
}

async function up(home: string, uid: number | undefined): Promise<Up> {
  const ports = ['--port', '0', '--temporal-port', '0', '--ui-port', '0'];
  const args = [entrypoint('cli/main'), 'up', '--json', '--data-dir', path.join(home, 'data'), ...ports];
  const options = {
    ...(root && uid !== undefined ? { uid, gid: uid } : {}),
    ...{ cwd: home, extendEnv: false, reject: false, buffer: false },
    env: { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', SIGNALBOX_LOG_LEVEL: 'info' },
  } as const;
  const child = execa(process.execPath, args, { ...options, stdin: 'ignore', stderr: 'inherit' });
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([once(lines, 'line'), child.then(() => null)]);
  if (line === null) throw new Error('up ended before it was ready');
  return {
    ready: JSON.parse(String(line[0])) as Up['ready'],
    end: async (signal) => {
      child.kill(signal);
      return (await child).exitCode;
    },
  };
}
