/**
 * A real local Postgres for one data directory: made once, started, found ready, stopped in order. It runs in a session
 * of its own, so that neither Ctrl-C nor the death of its starter reaches it; the next start first stops one that was
 * left behind. It listens on loopback only, with a random password that lies in a file of mode 600.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, readdir, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import pg from 'pg';
import { SignalboxError } from '../../domain/errors.js';
import { spawnDetached } from '../detached.js';
import { endProcess, isAlive, processRef, type ProcessRef } from '../processes.js';
import { programPlaces, serverPlaces, serverUser, usableDirectory, type ServerUser } from './places.js';
import { choosePort } from './ports.js';
import { postgresBinaries, type PostgresBinaries } from './postgres-binaries.js';

const NAME = 'signalbox';
const START_DEADLINE_MS = 60_000;

export interface PostgresOptions {
  dataDir: string;
  cacheDir: string;
  /** 0 = any, the preferred one if it is free. */
  port: number;
  preferredPort: number;
  logFile: string;
  /** Progress for people. */
  log: (line: string) => void;
}

export interface RunningPostgres {
  /** postgres://signalbox:…@127.0.0.1:PORT/signalbox; the user is the superuser of this server. */
  url: string;
  port: number;
  process: ProcessRef;
  /** Where the database's files are. */
  directory: string;
  /** Resolves when the server has ended, for whatever reason. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

interface Cluster {
  directory: string;
  password: string;
  user: ServerUser | null;
  binaries: PostgresBinaries;
}

/** Starts the server of a data directory, after making its database if there is none yet. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const cluster = await prepareCluster(options);
  const left = await runningPostmaster(cluster.directory);
  if (left !== null) {
    options.log(`stopping the Postgres server that was left running (pid ${left.pid})`);
    await stopServer(left);
  } else {
    // A pid that was given to another process since would make Postgres refuse for ever.
    await rm(path.join(cluster.directory, 'postmaster.pid'), { force: true });
  }
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    const port = await choosePort(options.port, 'Postgres', null, options.preferredPort);
    const started = await tryStart(cluster, port, options.logFile, deadline);
    if ('url' in started) return started;
    // Backends of a killed server hold its shared memory for a moment; a free port may be taken while we start.
    const passing = /shared memory block|could not bind|Address already in use/.test(started.failure);
    if (!passing || Date.now() > deadline) {
      throw new SignalboxError('start-failed', `Postgres does not start (log: ${options.logFile}): ${started.failure}`);
    }
    await sleep(200);
  }
}

/** The live server of a database directory, whoever started it. */
export async function runningPostmaster(directory: string): Promise<ProcessRef | null> {
  const text = await readFile(path.join(directory, 'postmaster.pid'), 'utf8').catch(() => null);
  const pid = Number(text?.split('\n')[0]);
  const ref = Number.isInteger(pid) && pid > 0 ? processRef(pid) : null;
  if (ref === null || process.platform !== 'linux') return ref;
  // A server works in its database directory; another process that got the pid since does not.
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  return cwd === (await realpath(directory)) ? ref : null;
}

async function prepareCluster(options: PostgresOptions): Promise<Cluster> {
  const user = await serverUser(options.log);
  const cache = await usableDirectory(programPlaces(options.cacheDir), user);
  const binaries = await postgresBinaries(cache, options.log);
  await mkdir(options.dataDir, { recursive: true, mode: 0o755 });
  const password = await keptPassword(path.join(options.dataDir, 'postgres-password'));
  const directory = path.join(await clusterPlace(options, user), 'postgres');
  const cluster = { directory, password, user, binaries };
  if (!(await isCluster(directory))) await makeCluster(cluster, options.log);
  return cluster;
}

/** Where the files lie is decided once and kept, so that a changed mode of a parent never starts an empty database. */
async function clusterPlace(options: PostgresOptions, user: ServerUser | null): Promise<string> {
  const note = path.join(options.dataDir, 'postgres-place');
  const kept = await readFile(note, 'utf8').catch(() => null);
  if (kept !== null) return kept.trim();
  const real = await realpath(options.dataDir);
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 16);
  const place = await usableDirectory(serverPlaces(real, hash), user);
  if (place !== real) {
    options.log(`${real} cannot be reached by the user ${user?.name ?? ''}: the database is kept in ${place}`);
    await writeFile(note, `${place}\n`);
  }
  return place;
}

async function keptPassword(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch(() => null);
  if (kept !== null && kept.trim() !== '') return kept.trim();
  const password = randomBytes(24).toString('hex');
  const fresh = `${file}.new`;
  await writeFile(fresh, `${password}\n`, { mode: 0o600 });
  await rename(fresh, file);
  return password;
}

async function isCluster(directory: string): Promise<boolean> {
  return stat(path.join(directory, 'PG_VERSION')).then(
    () => true,
    () => false,
  );
}

/** Makes the database beside its place and moves it there when complete; a half-made one is swept by the next start. */
async function makeCluster(cluster: Cluster, log: (line: string) => void): Promise<void> {
  const { directory, user, binaries } = cluster;
  const parent = path.dirname(directory);
  for (const name of await readdir(parent)) {
    if (name.startsWith('postgres.new')) await rm(path.join(parent, name), { recursive: true, force: true });
  }
  log(`making a new database in ${directory}`);
  const fresh = path.join(parent, 'postgres.new');
  const passwordFile = path.join(parent, 'postgres.new.password');
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(passwordFile, `${cluster.password}\n`, { mode: 0o600 });
  if (user !== null) {
    await chown(fresh, user.uid, user.gid);
    await chown(passwordFile, user.uid, user.gid);
  }
  const args = [`--pgdata=${fresh}`, `--username=${NAME}`, `--pwfile=${passwordFile}`];
  args.push('--auth=scram-sha-256', '--encoding=UTF8', '--locale=C');
  const made = await execa(binaries.initdb, args, { ...identity(user), cwd: parent, reject: false, all: true });
  await rm(passwordFile);
  if (made.exitCode !== 0) throw new SignalboxError('start-failed', `initdb failed: ${made.all || made.message || ''}`);
  await rename(fresh, directory);
}

/** Runs as that user, with nothing of our environment. */
function identity(user: ServerUser | null): {
  uid?: number;
  gid?: number;
  env: Record<string, string>;
  extendEnv: false;
} {
  const ids = user === null ? {} : { uid: user.uid, gid: user.gid };
  return { ...ids, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }, extendEnv: false };
}

async function tryStart(
  cluster: Cluster,
  port: number,
  logFile: string,
  deadline: number,
): Promise<RunningPostgres | { failure: string }> {
  const from = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  const failure = async (): Promise<string> =>
    (await readFile(logFile, 'utf8')).slice(from).trim() || 'it ended at once';
  const args = ['-D', cluster.directory, '-p', String(port), '-c', 'listen_addresses=127.0.0.1'];
  args.push('-c', 'unix_socket_directories=');
  const { process: ref, ended } = await spawnDetached({
    file: cluster.binaries.postgres,
    args,
    ...identity(cluster.user),
    cwd: cluster.directory,
    logFile,
  });
  const url = (database: string): string => `postgres://${NAME}:${cluster.password}@127.0.0.1:${port}/${database}`;
  while (!(await answers(url('postgres')))) {
    if (!isAlive(ref)) return { failure: await failure() };
    if (Date.now() > deadline) {
      await stopServer(ref);
      return { failure: `it did not answer within ${START_DEADLINE_MS / 1000} s` };
    }
    await sleep(50);
  }
  await ensureDatabase(url('postgres'));
  return { url: url(NAME), port, process: ref, directory: cluster.directory, ended, stop: async () => stopServer(ref) };
}

/** Fast shutdown; then immediate (which the next start recovers from); then the hard way. */
async function stopServer(ref: ProcessRef): Promise<void> {
  const gone = await endProcess(ref, [
    ['SIGINT', 3000],
    ['SIGQUIT', 2000],
    ['SIGKILL', 2000],
  ]);
  if (!gone) throw new SignalboxError('start-failed', `the Postgres server (pid ${ref.pid}) cannot be ended`);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined); // the connection attempt below reports
  try {
    await client.connect();
    return true;
  } catch (err) {
    // 28P01: somebody else's server has the port. Ours is about to fail with a bind error, which says more.
    const code = (err as { code?: string }).code ?? '';
    if (['ECONNREFUSED', 'ECONNRESET', '57P03', '28P01'].includes(code) || code === '') return false;
    throw err;
  } finally {
    await client.end().catch(() => undefined); // it may never have been connected
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [NAME]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${NAME}`);
  } finally {
    await client.end();
  }
}
