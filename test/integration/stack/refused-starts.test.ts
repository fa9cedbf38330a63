/** Starts of `signalbox up` that cannot be: refused with what mends it, and nothing half-made stays. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { entrypoint } from '../../../activities/entrypoint.js';

let dir: string;
let taken: Server;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'signalbox-refused-'));
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
});
afterAll(async () => {
  taken.close();
  await rm(dir, { recursive: true, force: true });
});

const up = (...args: string[]) =>
  execa(process.execPath, [entrypoint('cli/main'), 'up', ...args], { reject: false, stdin: 'ignore', timeout: 20_000 });

it.each(['--port', '--temporal-port', '--ui-port'])('a taken %s is named before anything is made', async (option) => {
  const port = String((taken.address() as AddressInfo).port);
  const dataDir = path.join(dir, option);
  const others = ['--port', '--temporal-port', '--ui-port'].filter((name) => name !== option);
  const { exitCode, stderr } = await up('--data-dir', dataDir, option, port, ...others.flatMap((name) => [name, '0']));
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`is in use by another process: give another with ${option} N (0 = any free one)`);
  expect(['postgres', 'temporal'].filter((name) => existsSync(path.join(dataDir, name)))).toEqual([]);
});

it('a data directory that cannot be made is refused at once', async () => {
  const { exitCode, stderr } = await up('--data-dir', '/proc/nope/data');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('the data directory /proc/nope/data cannot be made or written to');
});
