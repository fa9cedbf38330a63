import { Client, Connection, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DependencyNow } from '../../../domain/pipeline/dependencies.js';
import type { MergeOutcome } from '../../../domain/merge-queue/types.js';
import * as messages from '../../../workflows/messages.js';
import type { task } from '../../../workflows/task.js';
import { eventually } from '../../support/net.js';
import { startTemporal } from '../../support/temporal-server.js';
import { connectTemporal, type TestTemporal } from '../../support/temporal.js';
import {
  HOST,
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
import { keepHistory } from '../merge-queue/histories.js';

let temporal: TestTemporal;

beforeAll(async () => {
  quiet();
  temporal = await connectTemporal();
});
afterAll(() => temporal.close());

let worlds = 0;
type More = Parameters<typeof taskInput>[1];

/** Runs a test against a world, and workers, of its own. */
async function inWorld(
  prepare: (world: TaskWorld) => void,
  play: (start: (more?: More) => Promise<TaskHandle>, world: TaskWorld) => Promise<void>,
): Promise<void> {
  const world = new TaskWorld();
  prepare(world);
  const prefix = `${temporal.queuePrefix}-${(worlds += 1)}`;
  const stop = await serve(temporal.address, prefix, world);
  try {
    await play((more) => startTask(temporal.client, taskInput(prefix, more)), world);
  } finally {
    await stop();
  }
}

/** Development, then merge: short, with the default's back edges. */
const SHORT: More = {
  pipeline: {
    stages: [
      { ...taskInput('x').pipeline.stages[3], name: 'development', kind: 'agent' } as never,
      { name: 'testing', kind: 'check', checks: null, onFail: { goto: 'development', max: 3 } },
      {
        name: 'merge',
        kind: 'merge',
        onConflict: { goto: 'development', max: 1 },
        onRed: { goto: 'development', max: 3 },
      },
    ],
  },
};

/** Error code of a refused update. */
async function refused(update: Promise<unknown>): Promise<string | null | undefined> {
  const error: unknown = await update.then(
    () => null,
    (err: unknown) => err,
  );
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  const { cause } = error as WorkflowUpdateFailedError;
  expect(cause).toBeInstanceOf(ApplicationFailure);
  return (cause as ApplicationFailure).type;
}

const ACTIONS = [
  'workflowExecutionStartedEventAttributes',
  'activityTaskScheduledEventAttributes',
  'timerStartedEventAttributes',
  'workflowExecutionSignaledEventAttributes',
  'workflowExecutionUpdateAcceptedEventAttributes',
  'upsertWorkflowSearchAttributesEventAttributes',
] as const;

test('the default pipeline: approved once for a sha, landed, few actions', () =>
  inWorld(
    () => undefined,
    async (start, world) => {
      const handle = await start();
      const { stage, waitingOn } = await until(handle, 'approval');
      expect(waitingOn?.artifact).toEqual({ path: 'docs/brd/ET-001.md', sha: sha(1) });
      expect((await handle.query(messages.explain)).chain[0]?.unblockedBy.join()).toContain('signalbox task approve');
      const update = (args: messages.DecisionInput): Promise<unknown> =>
        handle.executeUpdate(messages.approve, { args: [args] });
      expect(await refused(update({ stage, sha: sha(77) }))).toBe('stale-decision');
      expect(await refused(update({ stage: 'review', sha: sha(1) }))).toBe('stale-decision');
      expect(await refused(update({ stage, sha: sha(1), expiresAt: '2020-01-01T00:00:00Z' }))).toBe('no-worker');
      expect(await refused(update({ stage } as never))).toBe('invalid-request');
      const twice = [update({ stage, sha: sha(1), by: 'ann' }), update({ stage, sha: sha(1), by: 'bob' })];
      const [first, second] = await Promise.all(twice);
      expect(second).toEqual(first);
      await handle.result();

      expect(world.decisions).toHaveLength(1);
      expect(world.last).toMatchObject({ state: 'done', stage: 'done', waitingOn: null, landed: { commit: sha(900) } });
      expect(world.last.counters).toEqual({ faults: 0, transient: 0, followUps: 0, humanWaits: 1 });
      expect(world.runs.map((r) => r.run.stage)).toEqual(['analysis', 'architecture', 'development', 'review']);
      expect(world.runs[1]?.run.preferHost).toBe(HOST);
      expect(world.cleaned).toEqual(['ET-001']);
      const { events } = await handle.fetchHistory();
      const actions = events?.filter((event) => ACTIONS.some((name) => event[name])).length ?? 0;
      // Signals of check and queue are missing here (2), two hours of heartbeats are 30 more.
      expect(actions).toBeLessThanOrEqual(80 - 30 - 2);
      expect(actions).toBeGreaterThan(10);
      await keepHistory(temporal, handle.workflowId, 'task-default-pipeline');
    },
  ));

test('what comes first is waited for, and a stacked task lands after it', () =>
  inWorld(
    () => undefined,
    async (start, world) => {
      const dependency = { repo: 'r', workItem: 'ET-009', onFailure: 'wait', stack: true } as const;
      const moves = async (more: Partial<DependencyNow>): Promise<void> => {
        world.others = [{ ...dependency, state: 'running', stage: 'development', ready: null, ...more }];
        await handle.signal(messages.dependencySettled, { id: 'r/ET-009' });
      };
      world.others = [{ ...dependency, state: 'running', stage: 'development', ready: null }];
      const handle = await start({ ...SHORT, dependsOn: [dependency] });
      const first = await until(handle, 'dependency');
      expect(first).toMatchObject({ state: 'queued', stage: 'created', head: null });
      await moves({ stage: 'merge', ready: sha(77) });
      const second = await until(handle, 'dependency', 'merge');
      expect(second).toMatchObject({ state: 'waiting', head: sha(1) });
      expect(world.runs[0]).toMatchObject({ head: null, stackBase: sha(77) });
      expect(world.entries).toEqual([]);
      await moves({ state: 'done', stage: 'done' });
      await handle.result();
      expect(world.last).toMatchObject({ state: 'done', landed: { commit: sha(900) }, stackBase: sha(77) });
      await keepHistory(temporal, handle.workflowId, 'task-stacked');
    },
  ));

test('reject goes back with the reason as a follow-up; final ends it', () =>
  inWorld(
    () => undefined,
    async (start, world) => {
      const handle = await start();
      const first = await until(handle, 'approval');
      const old = { stage: 'approval', sha: first.waitingOn?.artifact?.sha ?? '' };
      await handle.executeUpdate(messages.reject, { args: [{ ...old, by: 'ann', reason: 'too long' }] });
      const again = await eventually(async () => {
        const now = await until(handle, 'approval');
        return now.waitingOn?.artifact?.sha === old.sha ? null : now;
      });
      expect(world.runs[1]?.feedback).toContainEqual({ kind: 'rejection', stage: 'approval', text: 'too long' });
      expect(again.counters).toMatchObject({ followUps: 1, humanWaits: 2, faults: 0 });
      // What was decided stays decided.
      const repeat = await handle.executeUpdate(messages.approve, { args: [{ ...old, by: 'bob' }] });
      expect(repeat, 'by whoever the row names, not by what was claimed').toMatchObject({
        ...{ verdict: 'rejected', by: 'ann@desk' },
      });
      const now = { stage: 'approval', sha: again.waitingOn?.artifact?.sha ?? '', final: true, reason: 'no' };
      await handle.executeUpdate(messages.reject, { args: [now] });
      await handle.result();
      expect(world.last.state).toBe('cancelled');
    },
  ));

test('a cancel stops the run at once; a redo takes the run back', () =>
  inWorld(
    (world) => (world.script = ({ run }) => (run.attempt < 3 ? 'hangs' : passed)),
    async (start, world) => {
      const handle = await start(SHORT);
      await until(handle, 'agent');
      await handle.executeUpdate(messages.redo, {
        args: [{ stage: 'development', model: 'big', prompt: 'start over', intent: 7 }],
      });
      await eventually(() => (world.runs.length === 2 ? true : null));
      // The same request again changes nothing.
      await handle.executeUpdate(messages.redo, { args: [{ stage: 'development', intent: 7 }] });
      expect(world.runs[1]).toMatchObject({ run: { attempt: 2 }, overrides: { model: 'big', prompt: 'start over' } });
      expect(await refused(handle.executeUpdate(messages.redo, { args: [{ stage: 'nowhere' }] }))).toBe(
        'not-acceptable',
      );
      expect(await refused(handle.executeUpdate(messages.redo, { args: [{ stage: 'merge' }] }))).toBe('conflict');
      await until(handle, 'agent');
      await handle.executeUpdate(messages.cancelTask, { args: [{ reason: 'enough', by: 'the queen' }] });
      await handle.result();
      const { chain } = await handle.query(messages.explain);
      expect(chain[0]?.detail, 'a name without an audit row is nobody’s').toBe(
        'cancelled: cancelled by temporal: enough',
      );
      const { events } = await handle.fetchHistory();
      const said = events?.map((e) => Buffer.from(e.userMetadata?.summary?.data ?? []).toString()).join();
      expect(said).toContain('show: ');
      expect(said).not.toContain('queen');
      expect(world.last).toMatchObject({ state: 'cancelled', counters: { faults: 0 } });
      expect(world.runs).toHaveLength(2);
      await keepHistory(temporal, handle.workflowId, 'task-redo-and-cancel');
    },
  ));

test('transient waits, faults spend, a person continues with a fresh budget; a question is answered', () =>
  inWorld(
    (world) => {
      const fault = { kind: 'fault', failureClass: 'exit-code', reason: 'exit 1', summary: null } as const;
      const transient = {
        kind: 'transient',
        failureClass: 'transient',
        reason: '429',
        retryAfterSeconds: null,
      } as const;
      const question = { kind: 'needs-human', question: 'red or blue?', summary: null } as const;
      const script = [transient, fault, fault, question, passed];
      world.script = ({ run }) => script[run.attempt - 1] ?? passed;
    },
    async (start, world) => {
      const handle = await start(SHORT);
      const used = await until(handle, 'answer');
      expect(used.waitingOn).toMatchObject({ code: 'attempts' });
      expect(used.counters).toEqual({ faults: 2, transient: 1, followUps: 0, humanWaits: 0 });
      expect(world.mirrors.some((m) => m.waitingOn?.kind === 'backoff' && m.waitingOn.until !== null)).toBe(true);
      await handle.executeUpdate(messages.retry, { args: [{ by: 'ann' }] });
      const asked = await eventually(async () => {
        const now = await until(handle, 'answer');
        return now.waitingOn?.code === 'question' ? now : null;
      });
      expect(asked.waitingOn?.detail).toBe('red or blue?');
      await handle.executeUpdate(messages.answer, { args: [{ text: 'blue' }] });
      await handle.result();
      expect(world.runs.at(-1)?.feedback).toContainEqual({ kind: 'answer', text: 'blue', question: 'red or blue?' });
      expect(world.last).toMatchObject({ state: 'done', counters: { faults: 2, transient: 1, humanWaits: 1 } });
      await keepHistory(temporal, handle.workflowId, 'task-faults-and-answers');
    },
  ));

test('a conflict is repaired and lands; beyond the bound a person is asked', () =>
  inWorld(
    (world) => {
      const conflict: MergeOutcome = { kind: 'conflict', conflict: { paths: ['a.ts'], hunks: '<<<' }, baseOid: sha(3) };
      world.onEnqueue = (n) => (n <= 2 ? conflict : world.landed());
    },
    async (start, world) => {
      const handle = await start(SHORT);
      const asked = await until(handle, 'answer');
      expect(asked).toMatchObject({
        stage: 'merge',
        waitingOn: { code: 'bound' },
        counters: { followUps: 1, faults: 0 },
      });
      expect(world.runs[1]?.feedback).toEqual([
        { kind: 'conflict', base: 'main', baseOid: sha(3), paths: ['a.ts'], hunks: '<<<' },
      ]);
      await handle.executeUpdate(messages.answer, { args: [{ text: 'keep ours' }] });
      await handle.result();
      expect(world.last).toMatchObject({ state: 'done', counters: { followUps: 2 } });
      expect(new Set(world.entries).size).toBe(3);
    },
  ));

test('signals: a slot, a verdict, a landing; told twice or late they are no news', () =>
  inWorld(
    (world) => {
      world.full = true;
      world.onCheck = () => 'later';
      world.onEnqueue = () => 'later';
    },
    async (start, world) => {
      const handle = await start(SHORT);
      const inLine = await until(handle, 'host');
      expect(inLine.state).toBe('queued');
      const runId = inLine.waitingOn?.links['run'] ?? '';
      await handle.signal(messages.hostChanged, { runId, away: null });
      await handle.signal(messages.runGranted, { runId, host: HOST });
      await handle.signal(messages.runGranted, { runId, host: HOST });
      await until(handle, 'check');
      await handle.signal(messages.hostChanged, { runId, away: '2026-01-01T00:00:00Z' });
      await handle.signal(messages.checkSettled, {
        id: 'r/t/other',
        verdict: { ...world.verdict('red'), key: 'r/t/other' },
      });
      await handle.signal(messages.checkSettled, { id: 'r/t/c', verdict: world.verdict('green') });
      const queued = await until(handle, 'merge-queue');
      await handle.signal(messages.mergeSettled, { id: 'an older one', outcome: { kind: 'refused', reason: 'x' } });
      const id = queued.waitingOn?.links['entry'] ?? '';
      const change = { version: 4, title: 'Say it', priority: 'urgent' } as const;
      await handle.signal(messages.changed, change);
      await handle.signal(messages.changed, { ...change, version: 3, priority: 'low' });
      await eventually(() => (world.changes.length > 0 ? true : null));
      expect(world.changes).toEqual([{ entry: id, change }]);
      // Cancelled while it is being published: the queue's word decides.
      await handle.executeUpdate(messages.cancelTask, { args: [{ reason: 'too late' }] });
      await eventually(() => (world.withdrawn.includes(id) ? true : null));
      await handle.signal(messages.mergeSettled, { id, outcome: world.landed() });
      await handle.result();
      expect(world.last).toMatchObject({ state: 'done', landed: { commit: sha(900) } });
      expect(world.runs).toHaveLength(1);
      await keepHistory(temporal, handle.workflowId, 'task-signals');
      await keepHistory(temporal, handle.workflowId, 'task-words-and-host');
    },
  ));

test('a red that the base shares waits and spends nothing; lost messages are asked for again', () =>
  inWorld(
    (world) => {
      let base: 'red' | 'green' = 'red';
      world.onCheck = ({ source }) => {
        if (source.kind !== 'base-now') return world.runs.length > 1 ? 'green' : 'red';
        const was = base;
        base = 'green';
        return was;
      };
      let asked = 0;
      world.onEnqueue = () => ((asked += 1) < 2 ? 'later' : world.landed());
    },
    async (start, world) => {
      const settings = { ...taskInput('x').settings, mergeRetellMs: 300 };
      const handle = await start({ ...SHORT, settings });
      await handle.result();
      const reds = world.mirrors.filter((m) => m.waitingOn?.code === 'base-red');
      expect(reds[0]).toMatchObject({ state: 'running', waitingOn: { kind: 'check' }, counters: { faults: 0 } });
      expect(world.runs[1]?.feedback[0]).toMatchObject({ kind: 'red', check: 'unit' });
      expect(world.entries).toHaveLength(1);
      expect(world.last.state).toBe('done');
    },
  ));

test('an activity that fails for good becomes a wait for a person', () =>
  inWorld(
    (world) => (world.failing = 'requestRun'),
    async (start, world) => {
      const handle = await start(SHORT);
      const asked = await until(handle, 'answer');
      expect(asked.waitingOn).toMatchObject({ code: 'invalid' });
      expect(asked.waitingOn?.detail).toContain('no such column');
      world.failing = null;
      await handle.executeUpdate(messages.retry, { args: [{}] });
      await handle.result();
      expect(world.last.state).toBe('done');
    },
  ));

test('a cancellation by Temporal itself ends the task in order', () =>
  inWorld(
    (world) => (world.script = () => 'hangs'),
    async (start, world) => {
      const handle = await start(SHORT);
      await until(handle, 'agent');
      await handle.cancel();
      await handle.result();
      expect(world.last.state).toBe('cancelled');
    },
  ));

test('continue-as-new carries everything: a decision taken before it is the answer after it', async () => {
  const server = await startTemporal(['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=12']);
  const connection = await Connection.connect({ address: server.address });
  const world = new TaskWorld();
  world.onEnqueue = () => 'later';
  const stop = await serve(server.address, 'can', world);
  try {
    const client = new Client({ connection });
    const started = await startTask(client, taskInput('can'));
    const handle = client.workflow.getHandle<typeof task>(started.workflowId);
    const runNow = async (): Promise<string> => (await handle.describe()).runId;
    const first = await runNow();
    const { stage, waitingOn } = await until(handle, 'approval');
    const atApproval = await eventually(async () => ((await runNow()) === first ? null : await runNow()));
    const args: [messages.DecisionInput] = [{ stage, sha: waitingOn?.artifact?.sha ?? '', by: 'ann', intent: 3 }];
    const decision = await handle.executeUpdate(messages.approve, { args });
    const { links } = (await until(handle, 'merge-queue')).waitingOn ?? { links: {} };
    await eventually(async () => ((await runNow()) === atApproval ? null : true));
    expect(await handle.executeUpdate(messages.approve, { args })).toEqual(decision);
    await handle.signal(messages.mergeSettled, {
      id: (links as Record<string, string>)['entry'] ?? '',
      outcome: world.landed(),
    });
    await handle.result();
    expect(world.decisions).toHaveLength(1);
    expect(world.runs.map((r) => r.run.stage)).toEqual(['analysis', 'architecture', 'development', 'review']);
    expect(world.last).toMatchObject({ state: 'done', counters: { humanWaits: 1 } });
    const { events } = await client.workflow.getHandle(started.workflowId, atApproval).fetchHistory();
    expect(events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes).toBeTruthy();
  } finally {
    await stop();
    await connection.close();
    await server.stop();
  }
});
