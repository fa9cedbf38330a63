import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPool, execute, query, queryOne, transaction } from '../../../store/db.js';
import { appendEvent, listen, readEvents } from '../../../store/events.js';
import { eventually, freePort } from '../../support/net.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await execute(db.pool, 'CREATE TABLE notes (n integer PRIMARY KEY)');
});
afterAll(() => db.drop());

const notes = async (): Promise<number[]> =>
  (await query<{ n: number }>(db.pool, 'SELECT n FROM notes ORDER BY n')).map((r) => r.n);

test('a connection that is cut mid-transaction is a retryable error, leaves nothing, and is replaced', async () => {
  const cut = transaction(db.pool, async (tx) => {
    await execute(tx, 'INSERT INTO notes VALUES (1)');
    const me = await queryOne<{ pid: number }>(tx, 'SELECT pg_backend_pid() AS pid');
    await execute(db.pool, 'SELECT pg_terminate_backend($1)', [me?.pid]);
    await execute(tx, 'INSERT INTO notes VALUES (2)');
  });
  await expect(cut).rejects.toMatchObject({ code: 'database', retryable: true });
  expect(await notes()).toEqual([]);
});

test('a serialization failure is tried again; a fault of the data is not, and is not retryable', async () => {
  let tries = 0;
  await transaction(db.pool, async (tx) => {
    await execute(tx, 'INSERT INTO notes VALUES (3)');
    tries += 1;
    if (tries < 3) await execute(tx, `DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$`);
  });
  expect([tries, await notes()]).toEqual([3, [3]]);
  await expect(execute(db.pool, 'INSERT INTO notes VALUES (3)')).rejects.toMatchObject({ code: '23505' });
});

test.each(['53100', '53300', '57P03', '25006', '55P03', '08006'])('SQLSTATE %s is an outage', async (state) => {
  const raise = `DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${state}'; END $$`;
  await expect(execute(db.pool, raise)).rejects.toMatchObject({ code: 'database', retryable: true });
});

test('a server that is not there is an outage', async () => {
  const pool = createPool(`postgres://x@127.0.0.1:${await freePort()}/x`);
  await expect(execute(pool, 'SELECT 1')).rejects.toMatchObject({ code: 'database' });
  await expect(transaction(pool, () => Promise.resolve())).rejects.toMatchObject({ code: 'database' });
  await pool.end();
});

test('a listener hears of events, and again after its connection was cut', async () => {
  let rings = 0;
  const listener = await listen(db.url, ['signalbox_events'], () => (rings += 1));
  const say = (): Promise<void> =>
    transaction(db.pool, (tx) => appendEvent(tx, { kind: 'freeze', repo: 'web', subject: 'web', data: {} }));
  const heard = async (): Promise<void> => {
    const before = rings;
    await say();
    await eventually(() => (rings > before ? true : null), { what: 'a notification' });
  };
  expect(rings).toBe(1);
  await heard();
  const before = rings;
  await execute(db.pool, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
  await eventually(() => (rings > before ? true : null), { what: 'the call after reconnecting' });
  await heard();
  await listener.close();
  expect(await readEvents(db.pool, 0)).toHaveLength(2);
});
