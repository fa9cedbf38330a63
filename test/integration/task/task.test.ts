import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as messages from '../../../workflows/messages.js';
import { eventually } from '../../support/net.js';
import { connectTemporal, type TestTemporal } from '../../support/temporal.js';
import {
  passed,
  quiet,
  serve,
  sha,
  startTask,
  taskInput,
  TaskWorld,
  until,
  type TaskHandle,
} from '../../support/task-world.js';

let temporal: TestTemporal;

beforeAll(async () => {
  quiet();
  temporal = await connectTemporal();
});
afterAll(() => temporal.close());

let files = 0;
/** Runs a test against a world of its own. */
async function inWorld(
  prepare: (world: TaskWorld) => void,
  play: (start: (more?: Parameters<typeof taskInput>[1]) => Promise<TaskHandle>, world: TaskWorld) => Promise<void>,
): Promise<void> {
  const world = new TaskWorld();
  prepare(world);
  const prefix = `${temporal.queuePrefix}-${(files += 1)}`;
  const stop = await serve(temporal.address, prefix, world);
  try {
    await play((more) => startTask(temporal.client, taskInput(prefix, more)), world);
  } finally {
    await stop();
  }
}

async function approveWhatWaits(handle: TaskHandle): Promise<void> {
  const { waitingOn, stage } = await until(handle, 'approval');
  await handle.executeUpdate(messages.approve, { args: [{ stage, sha: waitingOn?.artifact?.sha ?? '', by: 'ann' }] });
}

test('the default pipeline, to done', () =>
  inWorld(
    () => undefined,
    async (start, world) => {
      const handle = await start();
      await approveWhatWaits(handle);
      await handle.result();
      expect(world.last).toMatchObject({ state: 'done', stage: 'done', waitingOn: null, landed: { commit: sha(900) } });
      expect(world.runs.map((r) => r.run.stage)).toEqual(['analysis', 'architecture', 'development', 'review']);
      expect(world.cleaned).toEqual(['ET-001']);
    },
  ));
