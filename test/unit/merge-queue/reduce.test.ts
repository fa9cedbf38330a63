import { expect, test } from 'vitest';
import { activeEntry, countPassed, inOrder } from '../../../domain/merge-queue/order.js';
import type { QueueEntry } from '../../../domain/merge-queue/state.js';
import type { Priority } from '../../../domain/tasks.js';
import { queueDetails, queueView } from '../../../domain/merge-queue/view.js';
import { request, TIMES, World } from './world.js';

/** Answers everything until nothing is in flight; time stands still. */
function settleDown(world: World): void {
  for (let i = 0; i < 200 && world.flights.length + world.running.length > 0; i += 1) {
    if (world.flights.length > 0) world.deliver(0);
    else world.signal(0, 'once');
  }
}
const kinds = (world: World): string[] => world.sent.map((c) => c.kind);
/** Answers calls until one of that kind is in flight. */
function upTo(world: World, kind: string): void {
  for (let i = 0; i < 200 && !world.flights.some((f) => f.command.kind === kind && !f.zombie); i += 1) {
    if (world.flights.length > 0) world.deliver(0);
    else world.signal(0, 'once');
  }
  expect(world.flights.some((f) => f.command.kind === kind)).toBe(true);
}

test('an idle queue waits for nothing', () => {
  const world = new World();
  settleDown(world);
  expect(world.deadline).toBeNull();
  world.enqueue(request(1));
  settleDown(world);
  expect(world.told.get('e1.1')).toMatchObject([{ kind: 'landed' }]);
  expect(world.deadline).toBeNull();
});

test('a failed publish goes to another host only when its lease is over, and by a fence', () => {
  const world = new World();
  world.enqueue(request(1));
  upTo(world, 'publish');
  const began = world.now;
  world.fail(0);
  world.hosts = ['b'];
  while (!kinds(world).includes('fence')) {
    if (world.flights.some((f) => !f.zombie)) world.deliver(world.flights.findIndex((f) => !f.zombie));
    else world.tick();
    if (world.now < began + TIMES.mergeLease) expect(kinds(world)).not.toContain('fence');
  }
  expect(world.now).toBeGreaterThanOrEqual(began + TIMES.mergeLease);
  expect(world.sent.findLast((c) => c.kind === 'fence')).toMatchObject({ host: 'b' });
  settleDown(world);
  expect(world.told.get('e1.1')).toMatchObject([{ kind: 'landed' }]);
});

test('a withdraw while publishing fences; what had landed is told as landed', () => {
  for (const landedFirst of [true, false]) {
    const world = new World();
    world.enqueue(request(1));
    upTo(world, 'publish');
    if (landedFirst) world.act(0);
    world.feed({ kind: 'withdraw', entry: 'e1.1', reason: 'cancelled' });
    expect(kinds(world)).toContain('cancel');
    world.flights = world.flights.filter((f) => f.command.kind !== 'publish');
    settleDown(world);
    expect(world.told.get('e1.1')).toMatchObject([{ kind: landedFirst ? 'landed' : 'withdrawn' }]);
  }
});

test('a withdraw while checking lets the verdict go, also one that is just being asked for', () => {
  for (const answered of [true, false]) {
    const world = new World();
    world.enqueue(request(1));
    upTo(world, 'check');
    if (answered) world.deliver(world.flights.findIndex((f) => f.command.kind === 'check'));
    world.feed({ kind: 'withdraw', entry: 'e1.1', reason: 'cancelled' });
    expect(kinds(world).includes('letGo')).toBe(answered);
    // Who asks for the same again waits until that has been said.
    world.enqueue(request(2));
    settleDown(world);
    expect(kinds(world).filter((kind) => kind === 'letGo')).toHaveLength(1);
    expect(world.told.get('e2.1')).toMatchObject([{ kind: 'landed' }]);
  }
});

test('a withdraw that overtakes its enqueue still counts, and a newer head replaces an older one', () => {
  const world = new World();
  world.feed({ kind: 'withdraw', entry: 'e1.1', reason: 'gone' });
  world.enqueue(request(1));
  world.enqueue(request(2, 'normal', 2));
  world.enqueue(request(2, 'normal', 1));
  world.enqueue(request(3, 'normal', 1));
  world.enqueue(request(3, 'normal', 2));
  settleDown(world);
  const told = (entry: string): unknown => world.told.get(entry)?.map((o) => o.kind);
  expect(['e1.1', 'e2.1', 'e2.2', 'e3.1', 'e3.2'].map(told)).toEqual([
    ...[['withdrawn'], ['withdrawn'], ['landed'], ['withdrawn'], ['landed']],
  ]);
});

test('a new priority moves what waits, not what was taken up; an older change that comes late is no news', () => {
  const world = new World();
  world.gate('pause');
  for (const n of [1, 2, 3]) world.enqueue(request(n));
  const order = (): string[] => inOrder(world.state).map((e) => `${e.request.workItem} ${e.request.title}`);
  const change = (n: number, version: number, priority: Priority, title = 'T'): void =>
    world.feed({ kind: 'entryChanged', entry: request(n).entry, change: { version, priority, title } });
  const before = order();
  change(3, 7, 'urgent', 'New');
  change(3, 5, 'low', 'Old');
  change(9, 1, 'urgent');
  expect(order()).toEqual([expect.stringContaining('New'), ...before.slice(0, 2)]);
  world.resume();
  for (let i = 0; i < 10 && activeEntry(world.state) === null; i += 1) world.deliver(0);
  expect(activeEntry(world.state)?.request.title).toBe('New');
  change(1, 8, 'urgent');
  change(3, 9, 'low');
  expect(inOrder(world.state).map((e) => e.request.workItem)).toEqual([3, 1, 2].map((n) => request(n).workItem));
});

test('the place that a person gave stands over what the task says; an older word that comes late is no news', () => {
  const world = new World();
  world.gate('pause');
  for (const n of [1, 2]) world.enqueue(request(n));
  const priorities = (): unknown[] => queueView(world.state).entries.map((e) => [e.entry, e.priority]);
  const { entry } = request(2);
  world.edit(entry, { priority: 'urgent' });
  const urgent = [
    ['e2.1', 'urgent'],
    ['e1.1', 'normal'],
  ];
  expect(priorities()).toEqual(urgent);
  world.feed({ kind: 'entryChanged', entry, change: { version: 1, title: 'New words', priority: 'normal' } });
  world.feed({ kind: 'entryEdited', entry, edit: { version: 1, priority: 'low', fix: true } });
  expect(priorities()).toEqual(urgent);
  // The task got another priority: what was said of the entry is over.
  world.edit(entry, { priority: null });
  world.feed({ kind: 'entryChanged', entry, change: { version: 2, title: 'New words', priority: 'low' } });
  expect(priorities()).toEqual([
    ['e1.1', 'normal'],
    ['e2.1', 'low'],
  ]);
});

test('what was said of an entry before it came, or to a queue that is lost, comes with the request', () => {
  const before = new World();
  before.gate('freeze');
  before.edit('e2.1', { fix: true, priority: 'high' });
  before.enqueue(request(1));
  before.enqueue(request(2));
  settleDown(before);
  expect([...before.told.keys()]).toEqual(['e2.1']);
  const lost = new World();
  lost.gate('freeze');
  lost.enqueue(request(2));
  lost.edits.set('e2.1', { version: 1, priority: null, fix: true });
  settleDown(lost);
  expect([...lost.told.keys()]).toEqual([]);
  lost.enqueue(request(2));
  settleDown(lost);
  expect([...lost.told.keys()]).toEqual(['e2.1']);
});

test('base is frozen and red: the fix is tried at once, whatever is frozen before it', () => {
  const world = new World();
  world.push(true);
  world.enqueue(request(1));
  settleDown(world);
  expect(queueView(world.state).block).toMatchObject({ code: 'base-red' });
  world.gate('freeze');
  world.enqueue(request(2), { fix: true });
  settleDown(world);
  expect(world.told.size).toBe(0);
  world.markFix('e2.1');
  settleDown(world);
  expect([...world.told.keys()]).toEqual(['e2.1']);
});

test('a rewound base stays the block while an outcome is refused, and the tip that is accepted counts', () => {
  const world = new World();
  world.enqueue(request(1));
  world.enqueue(request(2));
  upTo(world, 'publish');
  world.act(0);
  world.rewind();
  const lost = world.flights.findIndex((f) => f.command.kind === 'publish');
  world.fail(lost);
  world.flights = world.flights.filter((f) => f.command.kind !== 'publish');
  settleDown(world);
  world.feed({ kind: 'withdraw', entry: 'e2.1', reason: 'not wanted' });
  const at = world.flights.findIndex((f) => f.command.kind === 'record');
  const refused = world.flights[at];
  if (!refused) throw new Error('the withdraw should be recorded');
  world.flights.splice(at, 1);
  world.feed({ kind: 'failed', call: refused.command.call, message: 'landed twice' });
  const view = queueView(world.state);
  expect(view.block).toMatchObject({ code: 'base-rewound' });
  expect(view.reason).toMatch(/^base-rewound: .*; record-refused: landed twice$/);
  world.resume(true);
  settleDown(world);
  expect(queueView(world.state)).toMatchObject({ state: 'running', block: null, entries: [] });
  expect(world.told.get('e1.1')).toMatchObject([{ kind: 'refused' }]);
  expect(world.told.get('e2.1')).toMatchObject([{ kind: 'withdrawn' }]);
});

test('a run from before the aging counts nobody who was passed', () => {
  const world = new World();
  world.state.aging = false;
  world.gate('pause');
  world.enqueue(request(1, 'low'));
  for (let n = 2; n <= 12; n += 1) world.enqueue(request(n, 'normal'));
  expect(world.state.entries.every((e) => e.passed === undefined)).toBe(true);
  const { aging, entries } = world.state;
  expect([aging, entries.length]).toEqual([false, 12]);
  countPassed(world.state, entries[11] as QueueEntry);
  expect(world.state.entries.every((e) => e.passed === undefined)).toBe(true);
});

test('a drain lands what is in and holds what comes', () => {
  const world = new World();
  world.gate('pause');
  settleDown(world);
  world.enqueue(request(1));
  world.gates = [];
  world.gate('drain');
  settleDown(world);
  world.enqueue(request(2, 'urgent'));
  settleDown(world);
  expect([...world.told.keys()]).toEqual(['e1.1']);
  expect(queueView(world.state)).toMatchObject({
    state: 'draining',
    entries: [{ entry: 'e2.1', phase: 'queued', detail: 'came after the drain began' }],
  });
  world.resume();
  settleDown(world);
  expect([...world.told.keys()]).toEqual(['e1.1', 'e2.1']);
});

test('frozen hides paused; gates of another base or of admission do not concern landing', () => {
  const world = new World();
  world.gate('freeze', 'admission');
  world.gate('pause', 'all', 'release');
  settleDown(world);
  expect(queueView(world.state).state).toBe('running');
  world.gate('pause');
  world.gate('freeze', 'landing', 'main');
  settleDown(world);
  expect(queueView(world.state)).toMatchObject({ state: 'frozen', reason: 'freeze (ada)' });
  expect(queueDetails(world.state)).toContain('**frozen**');
});

test('a landing that somebody took away blocks, and is never pushed again', () => {
  const world = new World();
  world.enqueue(request(1));
  world.enqueue(request(2));
  upTo(world, 'publish');
  world.act(0);
  world.rewind();
  const lost = world.flights.findIndex((f) => f.command.kind === 'publish');
  world.fail(lost);
  world.flights = world.flights.filter((f) => f.command.kind !== 'publish');
  settleDown(world);
  expect(queueView(world.state)).toMatchObject({ state: 'blocked', block: { code: 'base-rewound' } });
  world.resume();
  settleDown(world);
  expect(queueView(world.state).state).toBe('blocked');
  world.resume(true);
  settleDown(world);
  expect(world.told.get('e1.1')).toMatchObject([{ kind: 'refused' }]);
  expect(world.told.get('e2.1')).toMatchObject([{ kind: 'landed' }]);
  expect(world.pushes.get('e1.1')).toBe(1);
});

test('a red base keeps everybody in place; an urgent entry that mends it lands first', () => {
  const world = new World();
  world.push(true);
  world.enqueue(request(1));
  settleDown(world);
  expect(queueView(world.state)).toMatchObject({ state: 'blocked', block: { code: 'base-red' } });
  expect(world.told.size).toBe(0);
  expect(world.deadline).not.toBeNull();
  world.enqueue(request(2, 'urgent'), { fix: true });
  settleDown(world);
  expect(world.base.slice(2).map((b) => b.entry)).toEqual(['e2.1', 'e1.1']);
  expect(queueView(world.state).state).toBe('running');
});

test('a verdict of another tree publishes nothing, and the pending check is asked for again', () => {
  const world = new World();
  world.enqueue(request(1));
  upTo(world, 'check');
  world.deliver(0);
  const [running] = world.running;
  if (!running) throw new Error('a check should be under way');
  world.running = [];
  world.feed({ kind: 'checkSettled', key: running.key, verdict: { ...running, tree: 'other' } });
  expect(kinds(world)).not.toContain('publish');
  expect(queueView(world.state).entries[0]?.detail).toBe('the verdict is of another tree');
  world.tick();
  settleDown(world);
  expect(world.told.get('e1.1')).toMatchObject([{ kind: 'landed' }]);
});

test('how long a landing took is counted from when it was taken up; one that was held is left out', () => {
  const world = new World();
  const took = (): unknown => queueView(world.state).pace;
  settleDown(world);
  world.enqueue(request(1));
  upTo(world, 'check');
  expect(took()).toEqual({ durations: [], startedAt: new Date(world.now).toISOString() });
  world.now += 60_000;
  settleDown(world);
  expect(took()).toEqual({ durations: [60_000], startedAt: null });
  world.enqueue(request(2));
  upTo(world, 'check');
  world.gate('pause');
  settleDown(world);
  expect(took()).toEqual({ durations: [60_000], startedAt: null });
  world.now += 2 * 24 * 3600 * 1000;
  world.resume();
  settleDown(world);
  expect([...world.told.keys()]).toEqual(['e1.1', 'e2.1']);
  expect(took()).toEqual({ durations: [60_000], startedAt: null });
});

test('a lost tip ref with a push in doubt: made anew when accepted, then fenced', () => {
  const world = new World();
  world.enqueue(request(1));
  upTo(world, 'publish');
  world.loseTip();
  settleDown(world);
  expect(queueView(world.state)).toMatchObject({ state: 'blocked', block: { code: 'tip-missing' } });
  world.resume(true);
  settleDown(world);
  expect(world.tip).not.toBe('');
  expect(kinds(world)).toContain('fence');
  expect(world.told.get('e1.1')).toMatchObject([{ kind: 'landed' }]);
});

test('an outcome that the store refuses blocks, is shown, and is tried again at once by a resume', () => {
  const world = new World();
  settleDown(world);
  world.enqueue(request(1));
  world.enqueue(request(2));
  const settling = (): number =>
    world.flights.findIndex((f) => !f.zombie && f.command.kind === 'record' && f.command.settled.length > 0);
  for (let i = 0; i < 200 && settling() < 0; i += 1) {
    if (world.flights.length > 0) world.deliver(0);
    else world.signal(0, 'once');
  }
  world.feed({
    kind: 'failed',
    call: world.flights[settling()]?.command.call ?? 0,
    message: 'landed twice (internal)',
  });
  world.flights = world.flights.filter((f) => f.command.kind !== 'record' || f.command.settled.length === 0);
  const picture = world.sent.findLast((c) => c.kind === 'record');
  expect(picture).toMatchObject({ settled: [], view: { state: 'blocked' } });
  expect(queueView(world.state).block).toMatchObject({
    ...{ code: 'record-refused', reason: 'landed twice (internal)', clearedBy: 'signalbox resume web' },
  });
  settleDown(world);
  expect(queueView(world.state).state, 'a stored picture does not clear it').toBe('blocked');
  expect(world.told.size).toBe(0);
  expect(kinds(world).filter((kind) => kind === 'prepare')).toHaveLength(1);
  expect(world.deadline).not.toBeNull();
  world.resume();
  settleDown(world);
  expect([...world.told.keys()]).toEqual(['e1.1', 'e2.1']);
  expect(queueView(world.state)).toMatchObject({ state: 'running', block: null });
});

test('while base is frozen the fix lands, before what the freeze held half way', () => {
  const world = new World();
  world.enqueue(request(1));
  upTo(world, 'check');
  world.enqueue(request(2));
  world.enqueue(request(3));
  world.gate('freeze');
  settleDown(world);
  expect(world.state.entries.map((e) => e.phase)).toContain('checking');
  world.markFix(request(3).entry);
  settleDown(world);
  expect(world.told.get('e3.1')).toMatchObject([{ kind: 'landed' }]);
  expect(queueView(world.state)).toMatchObject({
    state: 'frozen',
    entries: [{ entry: 'e1.1', phase: 'queued' }, { entry: 'e2.1' }],
  });
  world.resume();
  settleDown(world);
  expect(world.base.map((b) => b.entry)).toEqual([null, 'e3.1', 'e1.1', 'e2.1']);
});

test('a fix waits for the fence of a push in doubt, and a pause holds it too', () => {
  const world = new World();
  world.enqueue(request(1));
  upTo(world, 'publish');
  world.enqueue(request(2));
  world.gate('freeze');
  world.fail(0);
  world.markFix(request(2).entry);
  world.gate('pause');
  settleDown(world);
  expect(world.told.size).toBe(0);
  world.gates = world.gates.filter((g) => g.kind === 'freeze');
  world.feed({ kind: 'gateChanged', id: 'unpaused', acceptTip: null });
  settleDown(world);
  expect([...world.told.keys()]).toEqual(['e2.1']);
  expect(world.pushes.size).toBe(1);
});
