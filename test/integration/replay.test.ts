/** Every recorded history replays on today's workflow code: workflows that run now survive the next deploy. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';

const HISTORIES = new URL('../histories/', import.meta.url);

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

async function histories(): Promise<{ workflowId: string; history: unknown }[]> {
  const names = (await readdir(HISTORIES)).filter((name) => name.endsWith('.json'));
  return Promise.all(
    names.map(async (name) => {
      const value: unknown = JSON.parse(await readFile(new URL(name, HISTORIES), 'utf8'));
      return { workflowId: name, history: typeof value === 'string' ? (JSON.parse(value) as unknown) : value };
    }),
  );
}

/** File name → the error, null where it replays. */
async function replay(workflowsPath: string, only: (name: string) => boolean): Promise<Record<string, Error | null>> {
  const recorded = (await histories()).filter((h) => only(h.workflowId));
  const out: Record<string, Error | null> = {};
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowsPath }, recorded)) {
    out[workflowId] = error ?? null;
  }
  return out;
}

test('the recorded histories replay', async () => {
  const results = await replay(fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)), () => true);
  expect(Object.keys(results).length).toBeGreaterThanOrEqual(4);
  expect(Object.entries(results).filter(([, error]) => error !== null)).toEqual([]);
});

test('code that does something else is noticed', async () => {
  const wrong = fileURLToPath(new URL('../support/wrong-workflows.ts', import.meta.url));
  const results = await replay(wrong, (name) => name.startsWith('task-'));
  expect(Object.keys(results).length).toBeGreaterThanOrEqual(4);
  expect(new Set(Object.values(results).map((error) => error?.constructor.name))).toEqual(
    new Set(['DeterminismViolationError']),
  );
});
