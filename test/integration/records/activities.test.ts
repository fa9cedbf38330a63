import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRecordActivities } from '../../../activities/records/index.js';
import type { CheckConfig, Verdict } from '../../../domain/checks/types.js';
import type { EnqueueRequest, Landing, QueueView } from '../../../domain/merge-queue/types.js';
import type { Decision } from '../../../domain/tasks.js';
import { writeAudit } from '../../../store/audit.js';
import { readEvents } from '../../../store/events.js';
import { claimHost } from '../../../store/hosts.js';
import { listLandings } from '../../../store/landings.js';
import { getEntry, insertEntry } from '../../../store/merge-entries.js';
import { getQueueView } from '../../../store/merge-queues.js';
import { insertRepo } from '../../../store/repos.js';
import { createTask } from '../../../store/task-intake.js';
import { getTask } from '../../../store/tasks.js';
import type { CheckRequest, RecordActivities } from '../../../workflows/activities.js';
import { testSettings } from '../../support/deps.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { sampleMirror, sampleRepo, sampleRun, sampleTask } from '../../support/samples.js';
import { connectTemporal, type TestTemporal } from '../../support/temporal.js';

const check: CheckConfig = {
  ...{ name: 'unit', kind: 'command', command: ['npm', 'test'], timeout: 1000, env: {}, needsHistory: false },
};
let db: TestDatabase;
let temporal: TestTemporal;
let records: RecordActivities;
let repo: string;
beforeAll(async () => {
  [db, temporal] = await Promise.all([createTestDatabase(), connectTemporal()]);
  repo = temporal.queuePrefix;
  const config = { ...sampleRepo().config, checks: [check] };
  await insertRepo(db.pool, sampleRepo({ id: repo, config }));
  await insertRepo(db.pool, sampleRepo({ id: `${repo}-bare` }));
  await createTask(db.pool, sampleTask({ repo }));
  records = createRecordActivities({
    ...{ pool: db.pool, client: temporal.client, settings: testSettings(), queuePrefix: temporal.queuePrefix },
    resolveTree: (_repo, source) =>
      Promise.resolve({ commit: source.kind === 'base-now' ? 'b0' : source.commit, tree: 't0' }),
  });
});
afterAll(() => Promise.all([db.drop(), temporal.close()]));

const mirror = (seq: number, stage: string): ReturnType<typeof sampleMirror> => sampleMirror({ repo, seq, stage });
const request = (over: Partial<CheckRequest> = {}): CheckRequest => ({
  ...{ repo, checks: null, subscriber: 'task/x/ET-001', mirror: null },
  source: { kind: 'head', workItem: 'ET-001', commit: 'c0' },
  ...over,
});

test('a repository without checks has the verdict none; a check that is not configured is refused', async () => {
  expect(await records.requestCheck(request({ repo: `${repo}-bare` }))).toMatchObject({ verdict: { verdict: 'none' } });
  const unknown = records.requestCheck(request({ checks: ['nope'] }));
  await expect(unknown).rejects.toMatchObject({ type: 'not-acceptable', nonRetryable: true });
  await expect(unknown).rejects.toBeInstanceOf(ApplicationFailure);
});

test('the same content asked for by many is one check workflow; a stored verdict answers at once, a fault does not', async () => {
  const answers = await Promise.all([
    ...Array.from({ length: 5 }, () => records.requestCheck(request({ mirror: mirror(1, 'testing') }))),
    records.requestCheck(request({ source: { kind: 'base-now', branch: 'main' } })),
  ]);
  const [first] = answers;
  if (first.kind !== 'pending') throw new Error('no check was started');
  expect(answers.every((a) => a.kind === 'pending' && a.workflowId === first.workflowId)).toBe(true);
  const history = await temporal.client.workflow.getHandle(first.workflowId).fetchHistory();
  const signals = history.events?.filter((e) => e.workflowExecutionSignaledEventAttributes != null) ?? [];
  expect(signals).toHaveLength(6);
  expect((await getTask(db.pool, repo, 'ET-001'))?.stage).toBe('testing');

  const [, tree, configHash] = first.key.split('/');
  const verdict: Verdict = {
    ...{ key: first.key, repo, tree: tree ?? '', configHash: configHash ?? '', verdict: 'fault', failed: null },
    ...{ flaky: false, reason: 'lost', at: new Date().toISOString() },
  };
  await records.recordVerdict(verdict, []);
  expect((await records.requestCheck(request())).kind).toBe('pending');
  await records.recordVerdict({ ...verdict, verdict: 'green', reason: null }, []);
  expect(await records.requestCheck(request())).toMatchObject({ kind: 'verdict', verdict: { verdict: 'green' } });
});

test('an entry goes through its queue once, and its outcome is told again', async () => {
  const entry: EnqueueRequest = {
    ...{
      repo,
      base: 'main',
      task: `${repo}/ET-001`,
      workItem: 'ET-001',
      generation: 1,
      head: 'h',
      try: 1,
      entry: 'e1',
    },
    ...{ workflowId: `task/${repo}/ET-001`, title: 't', priority: 'normal', enqueuedAt: '2026-01-01T00:00:00Z' },
  };
  expect(await records.enqueueLanding(entry, mirror(2, 'merge'))).toEqual({ settled: null, position: null });
  const view = (state: QueueView['state'], entries: QueueView['entries'] = []): QueueView => ({
    ...{ repo, base: 'main', state, reason: null, block: null, entries },
  });
  const waiting: QueueView['entries'][number] = {
    ...{ entry: 'e1', task: entry.task, position: 1, phase: 'queued', head: 'h', priority: 'normal' },
    ...{
      since: '2026-01-01T00:00:00Z',
      fix: false,
      detail: null,
    },
  };
  await records.recordQueue({ view: view('running', [waiting]), runId: 'q1', seq: 1, settled: [] });
  expect(await records.enqueueLanding(entry, mirror(3, 'merge'))).toEqual({ settled: null, position: 1 });

  const landing: Landing = {
    ...{ entry: 'e1', task: entry.task, generation: 1, plan: 'p', head: 'h', commit: 'c', tree: 't', base: 'b' },
    ...{ verdict: 'green', at: '2026-01-01T00:00:01.000Z' },
    checkoutBehind: { reason: 'local edits', mendedBy: 'cd web && git …' },
  };
  const outcome = { kind: 'landed', landing } as const;
  const settle = { view: view('running'), runId: 'q1', seq: 3, settled: [{ identity: entry, outcome }] };
  await Promise.all([records.recordQueue(settle), records.recordQueue(settle)]);
  await records.recordQueue({ view: view('paused'), runId: 'q1', seq: 2, settled: [] });
  expect((await getQueueView(db.pool, repo, 'main'))?.state).toBe('running');
  expect(await listLandings(db.pool, repo, 'main')).toEqual([landing]);
  expect(await records.enqueueLanding(entry, mirror(4, 'merge'))).toEqual({ settled: outcome, position: null });
  const events = await readEvents(db.pool, 0, { kinds: ['merge-queue'] });
  expect(events.map((e) => e.data)).toMatchObject([
    { settled: [] },
    { settled: [{ task: entry.task, kind: 'landed', checkoutBehind: { reason: 'local edits' } }] },
  ]);
});

test('a withdraw without a queue settles the entry', async () => {
  const identity = {
    repo,
    base: 'lonely',
    task: `${repo}/ET-001`,
    workItem: 'ET-001',
    generation: 1,
    head: 'h',
    try: 2,
  };
  const lonely: EnqueueRequest = {
    ...{ ...identity, entry: 'e2', workflowId: `task/${repo}/nobody`, title: 't', priority: 'normal' },
    enqueuedAt: '2026-01-01T00:00:00Z',
  };
  await insertEntry(db.pool, lonely);
  await records.withdrawLanding(repo, 'lonely', 'e2', 'not wanted');
  expect((await getEntry(db.pool, 'e2'))?.outcome).toEqual({ kind: 'withdrawn', reason: 'not wanted' });
});

test('a run is asked for with its picture, and a decision leaves one row and one event', async () => {
  expect(await records.liveHost('git', null)).toEqual({ host: null });
  await claimHost(db.pool, { id: 'h', pid: 1, agentSlots: 1, checkSlots: 1, info: {} });
  expect(await records.liveHost('git', 'other')).toEqual({ host: 'h' });
  const run = sampleRun({ repo, runId: `${repo}.ET-001.g1.development.1` });
  expect(await records.requestRun(run, mirror(5, 'development'))).toEqual({ granted: true, host: 'h' });
  await records.dropRun(run.runId, 'not wanted');
  await expect(records.mirrorTask(mirror(6, 'x'))).resolves.toBeUndefined();
  const at = new Date().toISOString();
  const decision = { stage: 'approval', sha: 's', verdict: 'approved', by: 'me', at, reason: null } as const;
  await records.recordDecision(repo, 'ET-001', 1, decision, null, mirror(7, 'architecture'));
  await records.recordDecision(repo, 'ET-001', 1, decision, null, mirror(7, 'architecture'));
  const events = await readEvents(db.pool, 0, { kinds: ['task'] });
  expect(events.filter((e) => e.data.type === 'decision')).toHaveLength(1);
});

test('a decision is by the actor of its own audit row, and of no other', async () => {
  const subject = `${repo}/ET-001`;
  const row = (actor: string, action: string, detail: object): Promise<number> =>
    writeAudit(db.pool, { actor, action, subject, result: 'intended', detail: { ...detail } });
  const decision = (sha: string): Decision => ({
    ...{ stage: 'approval', sha, verdict: 'approved', by: 'the queen', at: new Date().toISOString(), reason: null },
  });
  const record = async (sha: string, intent: number): Promise<string> =>
    (await records.recordDecision(repo, 'ET-001', 1, decision(sha), intent, mirror(20, 'x'))).by;
  const own = await row('ann', 'task.approve', { stage: 'approval', sha: 'x1' });
  expect(await record('x1', own)).toBe('ann');
  const others = [
    await row('bob', 'task.retry', {}),
    await row('bob', 'task.reject', { stage: 'approval', sha: 'x21' }),
    own,
    999_999,
  ];
  // There is no such update in a history either.
  for (const [i, intent] of others.entries()) expect(await record(`x2${i}`, intent)).toBe('temporal');
});
