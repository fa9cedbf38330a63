/** One real Postgres for a whole test run, with a template database that is migrated once. */
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { programPlaces, serverUser, usableDirectory } from '../../cli/embedded/places.js';
import { postgresBinaries } from '../../cli/embedded/postgres-binaries.js';
import { readEnvironment } from '../../cli/environment.js';
import { migrate } from '../../store/migrate.js';
import { eventually, freePort } from './net.js';

/** Name of the database that test databases are cloned from. */
export const TEMPLATE = 'signalbox_template';

export interface RunningPostgres {
  url: string;
  stop(): Promise<void>;
}

const silent = (): void => undefined;
/** Without durability: the data lives as long as the run. */
const FLAGS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=300'];

/** Starts a server on a free port of the loopback, by the binaries and the user that the product uses. */
export async function startPostgres(): Promise<RunningPostgres> {
  const user = await serverUser(silent);
  const cache = await usableDirectory(programPlaces(readEnvironment().cacheDir), user);
  const binaries = await postgresBinaries(cache, silent);
  const home = await mkdtemp(path.join(os.tmpdir(), 'signalbox-test-pg-'));
  const data = path.join(home, 'data');
  await mkdir(data, { mode: 0o700 });
  if (user !== null) for (const dir of [home, data]) await chown(dir, user.uid, user.gid);
  const options = {
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    ...{ cwd: os.tmpdir(), env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }, extendEnv: false },
  };
  const initdb = [
    `--pgdata=${data}`,
    '--username=postgres',
    '--auth=trust',
    '--no-sync',
    '--encoding=UTF8',
    '--locale=C',
  ];
  await execa(binaries.initdb, initdb, options);

  const port = await freePort();
  const config = [...FLAGS, 'listen_addresses=127.0.0.1', 'unix_socket_directories='].flatMap((flag) => ['-c', flag]);
  const server = execa(binaries.postgres, ['-D', data, '-p', String(port), ...config], {
    ...options,
    ...{ reject: false, stdin: 'ignore', all: true },
  });
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const stop = async (): Promise<void> => {
    server.kill('SIGQUIT');
    await server;
    await rm(home, { recursive: true, force: true });
  };
  try {
    await eventually(() => createTemplate(url('postgres')), { timeoutMs: 40_000, what: 'Postgres for the tests' });
    await migrate(url(TEMPLATE));
  } catch (err) {
    await stop();
    throw new Error(`Postgres for the tests did not start:\n${(await server).all}`, { cause: err });
  }
  return { url: url('postgres'), stop };
}

async function createTemplate(url: string): Promise<true> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', silent); // the statement that fails reports it
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${TEMPLATE}`);
    return true;
  } finally {
    await client.end();
  }
}
