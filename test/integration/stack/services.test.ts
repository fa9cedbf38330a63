/** Servers that `up` did not start: a whole task on them, what they must have, and that they go on without us. */
import { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { execa } from 'execa';
import { inject, expect, test } from 'vitest';
import { entrypoint } from '../../../activities/entrypoint.js';
import { demoGit } from '../../../cli/demo/git.js';
import { query } from '../../../store/db.js';
import { searchAttributeFaults } from '../../../worker/temporal.js';
import { Instance } from '../../support/instance.js';
import { eventually } from '../../support/net.js';
import { createTestDatabase } from '../../support/postgres.js';

const { IndexedValueType } = proto.temporal.api.enums.v1;
const PIPELINE = {
  stages: [
    { name: 'work', kind: 'agent', agent: 'worker' },
    { name: 'merge', kind: 'merge' },
  ],
};

test('a task lands on an external Postgres and an external Temporal, and neither is stopped with us', async () => {
  const database = await createTestDatabase({ empty: true });
  const address = inject('temporalAddress');
  const namespace = `external-${process.pid}`;
  const instance = await Instance.create({
    ...{ DATABASE_URL: database.url, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace },
  });
  try {
    // The namespace and what must be in it are made.
    await instance.start();
    expect(instance.ready).toMatchObject({ database: database.url, temporal: address, namespace, ui: null });
    expect(Object.keys(await instance.children()).sort()).toEqual(['api', 'worker']);
    const { remote } = await instance.addSampleRepository(PIPELINE);
    const work = [{ write: 'new.txt', text: 'by {task}\n' }, { commit: 'Write new.txt' }];
    const { task } = await instance.submit('External', { work });
    const landed = await instance.untilTask(task, (t) => t.state === 'done');
    expect((await demoGit(remote, ['rev-parse', 'main'])).trim()).toBe(landed.landed?.commit);
    expect(await instance.stop()).toBe(0);
    expect(await query(database.pool, 'SELECT task FROM landings')).toEqual([{ task }]);
    const connection = await Connection.connect({ address });
    expect(await searchAttributeFaults(connection, namespace)).toEqual([]);
    await connection.close();
  } finally {
    await instance.remove();
    await database.drop();
  }
});

test('a search attribute of another type is named at start and by the doctor, with the command that mends it', async () => {
  const database = await createTestDatabase({ empty: true });
  const address = inject('temporalAddress');
  const namespace = `wrong-${process.pid}`;
  const connection = await Connection.connect({ address });
  const { INDEXED_VALUE_TYPE_INT } = IndexedValueType;
  await connection.workflowService.registerNamespace({
    ...{ namespace, workflowExecutionRetentionPeriod: proto.google.protobuf.Duration.fromObject({ seconds: 86_400 }) },
  });
  await eventually(
    async () =>
      connection.operatorService.addSearchAttributes({
        ...{ namespace, searchAttributes: { SignalboxStage: INDEXED_VALUE_TYPE_INT } },
      }),
    { timeoutMs: 30_000, everyMs: 200, what: `the namespace ${namespace}` },
  );
  const env = { DATABASE_URL: database.url, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  const instance = await Instance.create(env);
  try {
    const mend =
      `temporal operator search-attribute remove --namespace ${namespace} --name SignalboxStage && ` +
      `temporal operator search-attribute create --namespace ${namespace} --name SignalboxStage --type Keyword`;
    const refused = await instance.start().then(
      () => 'it started',
      (err: unknown) => (err as Error).message,
    );
    expect(refused).toContain(`the search attribute SignalboxStage of the namespace ${namespace} is of type INT`);
    expect(refused).toContain(mend);
    expect(refused).not.toMatch(/\n\s+at /);
    const args = [entrypoint('cli/main'), 'doctor', '--json', '--data-dir', instance.dataDir];
    const doctor = await execa(process.execPath, args, { env, reject: false });
    expect(doctor.exitCode).toBe(1);
    const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; detail: string; mend: string }[] };
    expect(checks).toContainEqual(
      expect.objectContaining({ name: 'search attributes', detail: 'SignalboxStage is INT', mend }),
    );
  } finally {
    await instance.remove();
    await connection.close();
    await database.drop();
  }
});
