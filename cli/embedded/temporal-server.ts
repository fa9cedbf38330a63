/**
 * The embedded Temporal server: one process with its Web UI, on a database file that survives it. The flags were
 * measured: the poll rate takes ~45 ms out of every step of a workflow, and WAL with synchronous=NORMAL is the faster
 * mode that loses nothing on a kill (a power cut may lose the last commits).
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTemporal, prepareTemporal, type TemporalTarget } from '../../worker/temporal.js';
import { SignalboxError } from '../../domain/errors.js';
import { spawnDetached } from '../detached.js';
import { endProcess, isAlive, type ProcessRef } from '../processes.js';

const START_DEADLINE_MS = 30_000;

export interface TemporalServerOptions {
  binary: string;
  dataDir: string;
  port: number;
  uiPort: number;
  logFile: string;
  /** Added to its environment. */
  env?: Readonly<Record<string, string>>;
}

export interface RunningTemporal {
  target: TemporalTarget;
  process: ProcessRef;
  ended: Promise<string>;
  stop(): Promise<void>;
}

/** Starts the server and returns when its namespace and search attributes are there. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<RunningTemporal> {
  const address = `127.0.0.1:${options.port}`;
  const target = { address, namespace: 'default', connectionOptions: { address } };
  await mkdir(databaseDirectory(options), { recursive: true, mode: 0o700 });
  const { process: ref, ended } = await spawnDetached({
    file: options.binary,
    args: flags(options),
    cwd: options.dataDir,
    env: { HOME: options.dataDir, PATH: '/usr/bin:/bin', ...options.env },
    logFile: options.logFile,
  });
  const stop = async (): Promise<void> => {
    await endProcess(ref, [
      ['SIGTERM', 2500],
      ['SIGKILL', 2000],
    ]);
  };
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    const fault = await prepare(target);
    if (fault === null) return { target, process: ref, ended, stop };
    if (!isAlive(ref) || Date.now() > deadline) {
      await stop();
      throw new SignalboxError(
        'start-failed',
        `the Temporal server does not start (log: ${options.logFile})`,
        {},
        { cause: fault },
      );
    }
    await sleep(50);
  }
}

const databaseDirectory = (options: TemporalServerOptions): string => path.join(options.dataDir, 'temporal');

function flags(options: TemporalServerOptions): string[] {
  const file = path.join(databaseDirectory(options), 'temporal.db');
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(options.port)];
  args.push('--ui-port', String(options.uiPort), '--ui-disable-news-fetch');
  args.push('--db-filename', file, '--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL');
  args.push('--dynamic-config-value', 'history.transferProcessorMaxPollRPS=2000');
  args.push('--log-level', 'error', '--log-format', 'json');
  return args;
}

/** The error while it is not ready yet; a fault that waiting does not mend is thrown. */
async function prepare(target: TemporalTarget): Promise<unknown> {
  try {
    const connection = await connectTemporal(target);
    try {
      await prepareTemporal(connection, target.namespace, true);
      return null;
    } finally {
      await connection.close();
    }
  } catch (err) {
    if (err instanceof SignalboxError) throw err;
    return err;
  }
}
