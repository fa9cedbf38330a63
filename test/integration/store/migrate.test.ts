import { afterAll, beforeAll, expect, test } from 'vitest';
import { query } from '../../../store/db.js';
import { migrate } from '../../../store/migrate.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { connectTemporal } from '../../support/temporal.js';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ empty: true });
});
afterAll(() => db.drop());

test('several processes that start at once migrate once', async () => {
  const runs = await Promise.all([1, 2, 3, 4].map(() => migrate(db.url)));
  expect(runs.filter((names) => names.length > 0)).toHaveLength(1);
  const rows = await query<{ name: string }>(db.pool, 'SELECT name FROM migrations ORDER BY id');
  expect(rows.map((r) => r.name)).toEqual(runs.flat());
  expect(await migrate(db.url)).toEqual([]);
});

test('the shared Temporal server answers', async () => {
  const temporal = await connectTemporal();
  expect((await temporal.client.workflow.count()).count).toBeGreaterThanOrEqual(0);
  await temporal.close();
});
