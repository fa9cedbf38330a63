/** One real Temporal dev server for a whole test run, with the search attributes registered. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { findTemporalBinary } from '../../cli/embedded/temporal-binary.js';
import { readEnvironment } from '../../cli/environment.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/search-attributes.js';
import { eventually, freePort } from './net.js';

export interface RunningTemporal {
  address: string;
  stop(): Promise<void>;
}

/** Starts the server with the flags of the product, and `more`, on a free port and waits until it answers. */
export async function startTemporal(more: string[] = []): Promise<RunningTemporal> {
  const { cacheDir, variables } = readEnvironment();
  const [binary, dir, port] = await Promise.all([
    findTemporalBinary({ cacheDir, variables, log: () => undefined }),
    mkdtemp(path.join(os.tmpdir(), 'signalbox-test-temporal-')),
    freePort(),
  ]);
  const args = [
    ...['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port)],
    ...['--db-filename', path.join(dir, 'temporal.db')],
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
    ...['--dynamic-config-value', 'history.transferProcessorMaxPollRPS=2000', '--log-level', 'error'],
    ...SEARCH_ATTRIBUTES.flatMap((key) => ['--search-attribute', `${key.name}=Keyword`]),
    ...more,
  ];
  const child = spawn(binary.file, args, { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const address = `127.0.0.1:${port}`;
  await eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`temporal exited with ${child.exitCode}`);
      const connection = await Connection.connect({ address, connectTimeout: 1000 });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      await connection.close();
      return true;
    },
    { timeoutMs: 40_000, everyMs: 100, what: 'the Temporal dev server' },
  );
  return {
    address,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
