import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { EntryEdit } from '../../../domain/merge-queue/types.js';
import { PRIORITIES } from '../../../domain/tasks.js';
import {
  checkSettled,
  enqueue,
  entryChanged,
  entryEdited,
  queueState,
  taskEnded,
  withdraw,
} from '../../../workflows/messages.js';
import { SignalboxRepo, SignalboxWaitingOn } from '../../../workflows/search-attributes.js';
import { eventually } from '../../support/net.js';
import { connectTemporal, type TestTemporal } from '../../support/temporal.js';
import { keepHistory } from './histories.js';
import { Outside } from './outside.js';

let temporal: TestTemporal;
let outside: Outside;

beforeAll(async () => {
  temporal = await connectTemporal();
});
afterAll(() => temporal.close());
beforeEach(async () => {
  outside = new Outside(temporal);
  await outside.start();
});
afterEach(async () => {
  await outside.queue().terminate();
  await outside.stop();
});

const until = (what: string, ok: () => boolean | Promise<boolean>): Promise<unknown> =>
  eventually(async () => ((await ok()) ? true : null), { timeoutMs: 15_000, everyMs: 25, what });
const view = () => outside.queue().query(queueState);

test('entries land in the order of urgency then age, one publish at a time, over many runs', async () => {
  const wanted = [3, 1, 2, 0, 2, 3, 1, 0, 2, 2].map((p, i) => ({ n: i + 1, priority: PRIORITIES[p] ?? 'normal' }));
  // The gate is closed before the first one comes.
  outside.gates = [
    { id: 1, repo: outside.repo, kind: 'pause', scope: 'all', base: null, reason: 'x', by: 'ada', since: '' },
  ];
  const tasks = [];
  for (const { n, priority } of wanted) tasks.push(await outside.enqueue(outside.request(n, priority), 3));
  await until('the paused queue to hold them all', async () => (await view()).entries.length === 10);
  expect((await view()).state).toBe('paused');
  expect(outside.landed).toEqual([]);
  await outside.gate(null);
  const outcomes = await Promise.all(tasks.map((t) => t.result()));
  expect(new Set(outcomes.map((o) => ('kind' in o ? o.kind : '')))).toEqual(new Set(['landed']));
  // Urgency, then age; the first, a low one, counts as normal after five later ones went before it.
  const order = ['e4', 'e8', 'e2', 'e7', 'e3', 'e1', 'e5', 'e9', 'e10', 'e6'];
  expect(outside.landed.map((l) => l.entry)).toEqual(order);
  for (const [i, l] of outside.landed.entries()) expect(l.from).toBeGreaterThanOrEqual(outside.landed[i - 1]?.to ?? 0);
  expect(outside.rows.size).toBe(10);
  // Some runs were continued as new on the way; the last one knows what was settled before.
  const again = await outside.enqueue({ ...outside.request(1), workflowId: `again/${outside.repo}` }, 3);
  expect(await again.result()).toMatchObject({ kind: 'landed' });
  expect(outside.landed.length).toBe(10);
  expect(new Set(outside.records.map((r) => r.runId)).size).toBeGreaterThan(2);
  await keepHistory(outside.temporal, outside.workflowId, 'merge-queue-carried');
});

test('a new priority changes the order of what waits', async () => {
  await outside.gate('pause').catch(() => undefined); // there is no queue to tell yet
  const tasks = [];
  for (const n of [1, 2]) tasks.push(await outside.enqueue(outside.request(n)));
  await until('both to wait', async () => (await view()).entries.length === 2);
  await outside.queue().signal(entryChanged, { id: 'e2', change: { version: 1, title: 'T2', priority: 'urgent' } });
  expect((await view()).entries).toMatchObject([{ entry: 'e2', priority: 'urgent' }, { entry: 'e1' }]);
  await until('the rows to show it', () => outside.records.at(-1)?.view.entries[0]?.entry === 'e2');
  await outside.gate(null);
  await Promise.all(tasks.map((t) => t.result()));
  expect(outside.landed.map((l) => l.entry)).toEqual(['e2', 'e1']);
});

test('people move entries and name the fix of a freeze; squashed, it lands before what was there', async () => {
  outside.strategy = 'squash';
  outside.held = new Set(['e1']);
  const first = await outside.enqueue(outside.request(1));
  await until('e1 to be checked', async () => (await view()).entries[0]?.phase === 'checking');
  for (const n of [2, 3]) await outside.enqueue(outside.request(n));
  await outside.gate('freeze');
  await until('the freeze', async () => (await view()).state === 'frozen');
  const say = (n: number, edit: EntryEdit) => outside.queue().signal(entryEdited, { id: `e${n}`, edit });
  await say(3, { version: 1, priority: 'urgent', fix: false });
  await outside.queue().signal(entryChanged, { id: 'e3', change: { version: 1, title: 'T3', priority: 'low' } });
  expect((await view()).entries).toMatchObject([{ entry: 'e1' }, { entry: 'e3', priority: 'urgent' }, { entry: 'e2' }]);
  outside.fixes.add('e2');
  await say(2, { version: 1, priority: null, fix: true });
  await until('the fix to land', () => outside.landed[0]?.entry === 'e2');
  outside.held.clear();
  await outside.gate(null);
  expect(await first.result()).toMatchObject({ kind: 'landed' });
  await until('all to be told', () => outside.rows.size === 3);
  expect(outside.landed.map((l) => l.entry)).toEqual(['e2', 'e3', 'e1']);
  await keepHistory(outside.temporal, outside.workflowId, 'merge-queue-people');
});

test('the times of new settings come with the signals, and count from then on', async () => {
  const slow = { mergeLease: 60_000, hostStale: 30_000, backoffBase: 3_600_000, backoffMax: 3_600_000 };
  outside.held = new Set(['e1']);
  const one = await outside.enqueue(outside.request(1), null, slow);
  await until('e1 to be checked', async () => (await view()).entries[0]?.phase === 'checking');
  await outside.queue().signal(enqueue, outside.request(2), { ...slow, backoffBase: 50, backoffMax: 200 });
  outside.base = [{ id: 'root', entry: null, red: true }];
  const { key } = outside.verdict('t-e1-on-root', true);
  await outside.queue().signal(checkSettled, { id: key, verdict: outside.verdict('t-e1-on-root', true) });
  await until('the block', async () => (await view()).state === 'blocked');
  // Nothing is sent any more: only a timer of the new times looks again.
  outside.held.clear();
  outside.base.push({ id: 'mended', entry: null, red: false });
  expect(await one.result()).toMatchObject({ kind: 'landed', landing: { base: 'mended' } });
});

test('a drain lands what is in, and holds what comes until it is resumed', async () => {
  outside.held = new Set(['e1']);
  const one = await outside.enqueue(outside.request(1));
  await until('e1 to be checked', async () => (await view()).entries[0]?.phase === 'checking');
  await outside.gate('drain');
  await until('the drain', async () => (await view()).state === 'draining');
  const two = await outside.enqueue(outside.request(2));
  const verdict = outside.verdict('t-e1-on-root', false);
  await outside.queue().signal(checkSettled, { id: verdict.key, verdict });
  expect(await one.result()).toMatchObject({ kind: 'landed' });
  await until('e2 to be held', async () => (await view()).entries[0]?.detail === 'came after the drain began');
  expect(outside.landed.map((l) => l.entry)).toEqual(['e1']);
  await outside.gate(null);
  expect(await two.result()).toMatchObject({ kind: 'landed' });
});

test('a conflict and a red go back to their tasks with the facts', async () => {
  outside.conflicts.add('e1');
  outside.reds.add('e2');
  const [one, two, three] = await Promise.all([1, 2, 3].map((n) => outside.enqueue(outside.request(n))));
  expect(await one?.result()).toMatchObject({ kind: 'conflict', conflict: { paths: ['a.txt'] } });
  expect(await two?.result()).toMatchObject({ kind: 'red', failed: { name: 'unit', tail: 'not ok' } });
  expect(await three?.result()).toMatchObject({ kind: 'landed' });
  expect(outside.landed.map((l) => l.entry)).toEqual(['e3']);
  await keepHistory(outside.temporal, outside.workflowId, 'merge-queue-conflict-and-red');
});

test('conflicts in the same path are repaired one after the other; what the repairs are of is predicted meanwhile', async () => {
  outside.conflicts = new Set(['e1', 'e2']);
  const one = await outside.enqueue(outside.request(1));
  expect(await one.result()).toMatchObject({ kind: 'conflict' });
  const two = await outside.enqueue(outside.request(2));
  const { task } = outside.request(1);
  await until('e2 to wait', async () => (await view()).entries[0]?.waitsFor === task);
  await until('the rows to say so', () => outside.records.at(-1)?.view.entries[0]?.detail?.includes(task) === true);
  const three = await outside.enqueue(outside.request(3));
  expect(await three.result()).toMatchObject({ kind: 'landed' });
  await until('a prediction', () => outside.predictions > 0);
  outside.conflicts.clear();
  await outside.queue().signal(taskEnded, { id: task });
  expect(await two.result()).toMatchObject({ kind: 'landed' });
  await until('all to be predicted', async () => {
    const { events } = await outside.queue().fetchHistory();
    const done = (events ?? []).filter((event) => event.activityTaskCompletedEventAttributes != null).length;
    const begun = (events ?? []).filter((event) => event.activityTaskScheduledEventAttributes != null).length;
    return done === begun;
  });
  await keepHistory(outside.temporal, outside.workflowId, 'merge-queue-conflicts');
});

test('an entry under check is withdrawn at once; a pause holds a green one until it is resumed', async () => {
  outside.held = new Set(['e1', 'e2']);
  const one = await outside.enqueue(outside.request(1));
  const two = await outside.enqueue(outside.request(2));
  await until('e1 to be checked', async () => (await view()).entries[0]?.phase === 'checking');
  await outside.queue().signal(withdraw, { id: 'e1', reason: 'not wanted' });
  expect(await one.result()).toEqual({ kind: 'withdrawn', reason: 'not wanted' });
  await until('e2 to be checked', async () => (await view()).entries[0]?.phase === 'checking');
  await outside.gate('freeze');
  await until('the freeze', async () => (await view()).state === 'frozen');
  const { key } = outside.verdict('t-e2-on-root', false);
  await outside.queue().signal(checkSettled, { id: key, verdict: outside.verdict('t-e2-on-root', false) });
  const { typedSearchAttributes } = await outside.queue().describe();
  expect(typedSearchAttributes.get(SignalboxWaitingOn)).toBe('frozen');
  expect(typedSearchAttributes.get(SignalboxRepo)).toBe(outside.repo);
  // The query is answered after the signal was heard: the verdict is in, and the entry is held.
  expect((await view()).entries[0]?.phase).toBe('checking');
  expect(outside.landed).toEqual([]);
  await outside.gate(null);
  expect(await two.result()).toMatchObject({ kind: 'landed' });
});

test('a red base blocks and clears by itself when base is green again', async () => {
  outside.base.push({ id: 'bad', entry: null, red: true });
  const one = await outside.enqueue(outside.request(1));
  await until('the block', async () => (await view()).state === 'blocked');
  expect((await view()).block).toMatchObject({ code: 'base-red', baseOid: 'bad', clearedBy: null });
  expect(outside.rows.size).toBe(0);
  outside.base.push({ id: 'mended', entry: null, red: false });
  expect(await one.result()).toMatchObject({ kind: 'landed', landing: { base: 'mended' } });
  expect((await view()).state).toBe('running');
});

test('a publish that dies is fenced and resolved, and lands once', async () => {
  outside.deaths = ['before', 'after'];
  const tasks = await Promise.all([1, 2].map((n) => outside.enqueue(outside.request(n))));
  for (const task of tasks) expect(await task.result()).toMatchObject({ kind: 'landed' });
  expect(outside.fences.length).toBe(2);
  expect(outside.landed.map((l) => l.entry).sort()).toEqual(['e1', 'e2']);
  expect(outside.base.length).toBe(3);
});

test('signals of another shape are left out, and the queue lands on', async () => {
  const task = await outside.enqueue(outside.request(1));
  const names = [
    'enqueue',
    'withdraw',
    'entryChanged',
    'entryEdited',
    'gateChanged',
    'checkSettled',
    'taskEnded',
    'unheard',
  ];
  const wrong = [null, 'words', 7, [], {}, { id: 7 }, { id: 'e1', change: {}, edit: { version: 1 }, verdict: null }];
  for (const name of names) {
    await outside.queue().signal(name);
    for (const argument of wrong) await outside.queue().signal(name, argument);
  }
  await outside.queue().signal('enqueue', outside.request(2), { mergeLease: 'long' });
  expect(await task.result()).toMatchObject({ kind: 'landed' });
  const next = await outside.enqueue(outside.request(3));
  expect(await next.result()).toMatchObject({ kind: 'landed' });
  expect(outside.landed.map((l) => l.entry)).toEqual(['e1', 'e3']);
});
