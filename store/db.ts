/**
 * The door to Postgres: one pool per process, typed rows, transactions, and the line between outages (retryable,
 * SignalboxError 'database') and faults of data (raw driver errors: somebody must look).
 */
import pg from 'pg';
import { SignalboxError } from '../domain/errors.js';

/** Anything that takes a query: the pool, or the client of a transaction. */
export type Db = pg.Pool | pg.PoolClient;
export type Pool = pg.Pool;
/** A client inside a transaction. Functions that ask for a `Tx` are only right within one. */
export type Tx = pg.PoolClient;

/** bigint as number (ids and counters stay below 2^53), timestamptz as RFC 3339 UTC text, as the API shows them. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => new Date(text).toISOString());

export interface PoolOptions {
  max?: number;
  /** Hears of connections that broke while idle; the pool replaces them by itself. */
  onIdleError?: (err: Error) => void;
}

/** Makes the pool of this process. End it with `pool.end()`. */
export function createPool(databaseUrl: string, options: PoolOptions = {}): Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    types,
    max: options.max ?? 10,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // Without a listener a cut idle connection would end the process.
  pool.on('error', (err) => options.onIdleError?.(err));
  return pool;
}

/** Runs one statement and returns its rows. Throws SignalboxError 'database' on an outage, the driver's error else. */
export async function query<T extends object>(db: Db, sql: string, params: unknown[] = []): Promise<T[]> {
  try {
    return (await db.query<T>(sql, params.map(storable))).rows;
  } catch (err) {
    throw toStoreError(err);
  }
}

/** Like `query`, for statements that give one row or none. */
export async function queryOne<T extends object>(db: Db, sql: string, params: unknown[] = []): Promise<T | null> {
  return (await query<T>(db, sql, params))[0] ?? null;
}

/** Runs a statement for its effect; returns how many rows it touched. */
export async function execute(db: Db, sql: string, params: unknown[] = []): Promise<number> {
  try {
    return (await db.query(sql, params.map(storable))).rowCount ?? 0;
  } catch (err) {
    throw toStoreError(err);
  }
}

const COLLISIONS = ['40001', '40P01'];
const MAX_TRIES = 5;

/**
 * Runs `fn` in one transaction (read committed): all of it or nothing. Serialization failures and deadlocks are tried
 * again a few times, so `fn` must have no effect outside of the transaction.
 */
export async function transaction<T>(pool: Pool, fn: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptTransaction(pool, fn);
    } catch (err) {
      const code = err instanceof SignalboxError ? err.data.sqlState : undefined;
      if (attempt >= MAX_TRIES || typeof code !== 'string' || !COLLISIONS.includes(code)) throw err;
    }
  }
}

async function attemptTransaction<T>(pool: Pool, fn: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await connect(pool);
  let broken: Error | undefined;
  try {
    await execute(client, 'BEGIN');
    const result = await fn(client);
    await execute(client, 'COMMIT');
    return result;
  } catch (err) {
    // A client whose rollback fails is in an unknown state: it leaves the pool.
    await client.query('ROLLBACK').catch((rollbackError: unknown) => {
      broken = rollbackError instanceof Error ? rollbackError : new Error(String(rollbackError));
    });
    throw toStoreError(err);
  } finally {
    client.release(broken);
  }
}

async function connect(pool: Pool): Promise<Tx> {
  try {
    const client = await pool.connect();
    if (client.listenerCount('error') === 0) {
      // A connection that is cut between two statements reports it here; the next statement fails and is mapped.
      client.on('error', () => undefined);
    }
    return client;
  } catch (err) {
    throw toStoreError(err);
  }
}

/** Takes a lock of this name until the transaction ends. */
export async function lock(tx: Tx, ...name: (string | number)[]): Promise<void> {
  await execute(tx, 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [JSON.stringify(name)]);
}

/** True if `err` is a violation of that unique constraint or index. */
export function violatesUnique(err: unknown, constraint: string): boolean {
  return err instanceof pg.DatabaseError && err.code === '23505' && err.constraint === constraint;
}

/**
 * A value for a jsonb parameter (the driver would write an array as a Postgres array). Postgres takes neither a NUL nor
 * half of a surrogate pair; agents and checks print both, and a cut can leave the latter: each becomes U+FFFD.
 */
export function json(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'string' ? part.replace(/[\0\p{Surrogate}]/gu, '\uFFFD') : part,
  );
}

/** The same for a parameter that is a text; the driver itself replaces halves of surrogate pairs. */
const storable = (param: unknown): unknown =>
  typeof param === 'string' && param.includes('\0') ? param.replaceAll('\0', '\uFFFD') : param;

/**
 * Classes of SQLSTATE that say "not now" about the server, not "never" about the data: 08 connection, 53 out of
 * resources (disk full, too many connections), 57 operator intervention (shutdown, starting up, cancelled), 58 system
 * error (I/O), 40 rollback; and single ones: read-only server, lock not available.
 */
const OUTAGE_CLASSES = ['08', '40', '53', '57', '58'];
const OUTAGE_STATES = ['25006', '55P03'];
const NETWORK =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/;
const DRIVER =
  /Connection terminated|timeout exceeded when trying to connect|not queryable|Client was closed|after calling end on the pool/i;

/** Turns an outage into SignalboxError 'database' (retryable); leaves every other error as it is. */
export function toStoreError(err: unknown): unknown {
  if (!(err instanceof Error) || err instanceof SignalboxError) return err;
  const code = 'code' in err && typeof err.code === 'string' ? err.code : '';
  const outage =
    err instanceof pg.DatabaseError
      ? OUTAGE_CLASSES.includes(code.slice(0, 2)) || OUTAGE_STATES.includes(code)
      : NETWORK.test(code) || DRIVER.test(err.message);
  if (!outage) return err;
  return new SignalboxError('database', `Postgres: ${err.message || code}`, { sqlState: code }, { cause: err });
}
