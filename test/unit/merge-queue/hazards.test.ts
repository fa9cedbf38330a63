/** Faults of earlier merge queues that this one must not have; each test fails where the fault is there. */
import { expect, test } from 'vitest';
import type { QueueCommand } from '../../../domain/merge-queue/commands.js';
import type { QueueEvent } from '../../../domain/merge-queue/events.js';
import { inOrder } from '../../../domain/merge-queue/order.js';
import type { Landing, PublishResult } from '../../../domain/merge-queue/types.js';
import { queueView } from '../../../domain/merge-queue/view.js';
import { request, TIMES, World } from './world.js';

type Kind = QueueCommand['kind'];

/** Delivers until a call of this kind is under way. */
function upTo(world: World, kind: Kind): Extract<QueueCommand, { call: number }> {
  for (let i = 0; i < 200; i += 1) {
    const found = world.flights.find((f) => !f.zombie && f.command.kind === kind);
    if (found) return found.command;
    if (world.flights.some((f) => !f.zombie)) world.deliver(world.flights.findIndex((f) => !f.zombie));
    else if (world.running.length > 0) world.signal(0, 'once');
    else world.tick();
  }
  throw new Error(`no ${kind}`);
}

/** Delivers all but what is of this kind. */
function allBut(world: World, kind: Kind): void {
  for (let i = 0; i < 200; i += 1) {
    const next = world.flights.findIndex((f) => !f.zombie && f.command.kind !== kind);
    if (next < 0) return;
    world.deliver(next);
  }
}

function settleDown(world: World): void {
  for (let i = 0; i < 500; i += 1) {
    if (world.flights.length > 0) world.deliver(0);
    else if (world.running.length > 0) world.signal(0, 'once');
    else if (world.deadline !== null) world.tick();
    else return;
  }
}

/** This answer, and nothing that the world would have done. */
function answer(world: World, command: { call: number }, event: QueueEvent): void {
  world.flights = world.flights.filter((f) => f.command.call !== command.call);
  world.feed(event);
}

const sent = (world: World, kind: Kind): number => world.sent.filter((c) => c.kind === kind).length;
const landed = (world: World): (string | null)[] => world.base.slice(1).map((b) => b.entry);

test('a push that takes longer than its lease keeps the landing as long as its host lives: no second one begins', () => {
  const world = new World();
  world.enqueue(request(1));
  world.enqueue(request(2));
  upTo(world, 'publish');
  const began = world.now;
  while (world.now < began + 5 * TIMES.mergeLease) {
    world.tick();
    allBut(world, 'publish');
  }
  expect([sent(world, 'publish'), sent(world, 'fence'), sent(world, 'prepare')]).toEqual([1, 0, 1]);
  world.deliver(0);
  settleDown(world);
  expect(landed(world)).toEqual(['e1.1', 'e2.1']);
});

test('a push that outlives its host and its lease can no longer land once another one began: every push has its generation', () => {
  const world = new World();
  world.enqueue(request(1));
  upTo(world, 'publish');
  world.hosts = ['b'];
  for (let i = 0; i < 50 && sent(world, 'fence') === 0; i += 1) {
    world.tick();
    allBut(world, 'publish');
  }
  settleDown(world);
  expect(landed(world)).toEqual(['e1.1']);
  const plans = world.sent.flatMap((c) => (c.kind === 'publish' ? [c.plan.lastTip] : []));
  expect(new Set(plans).size).toBe(plans.length);
  expect(sent(world, 'publish')).toBe(2);
});

test('a slow answer about an older holder neither stamps nor drops the newer one', () => {
  const world = new World();
  world.enqueue(request(1));
  world.enqueue(request(2));
  const old = upTo(world, 'publish');
  world.feed({ kind: 'withdraw', entry: 'e1.1', reason: 'not wanted' });
  const fence = upTo(world, 'fence');
  world.deliver(world.flights.findIndex((f) => f.command === fence));
  const newer = upTo(world, 'publish');
  expect(newer).toMatchObject({ plan: { entry: { entry: 'e2.1' } } });
  const before = JSON.stringify(world.state.entries);
  const late: PublishResult[] = [
    { kind: 'stale', reason: 'late' },
    { kind: 'unwanted', reason: 'late' },
    { kind: 'gated', reason: 'late' },
  ];
  for (const result of late) world.feed({ kind: 'published', call: old.call, result });
  world.feed({ kind: 'failed', call: old.call, message: 'late' });
  world.feed({ kind: 'withdraw', entry: 'e1.1', reason: 'again' });
  expect(JSON.stringify(world.state.entries)).toBe(before);
  settleDown(world);
  expect(landed(world)).toEqual(['e2.1']);
});

/** Up to a call of this kind, and then this. */
const at =
  (kind: Kind, then: (world: World) => void) =>
  (world: World): void => {
    upTo(world, kind);
    then(world);
  };
const withdraw = (world: World): void => world.feed({ kind: 'withdraw', entry: 'e1.1', reason: 'x' });
const fail = (world: World): void => world.fail(0);
/** The check is asked for, and its signal comes like this. */
const signal = (how: 'lost' | 'fault') =>
  at('check', (world) => {
    world.deliver(0);
    world.signal(0, how);
  });

test.each<[string, (world: World) => void]>([
  ['lands', settleDown],
  ['is refused by a conflict', settleDown],
  ['is red', settleDown],
  ['is withdrawn', withdraw],
  ['is withdrawn while it pushes', at('publish', withdraw)],
  ['is cancelled in its preparation', at('prepare', withdraw)],
  ['loses its worker in the push', at('publish', fail)],
  ['loses its worker in the preparation', at('prepare', fail)],
  ['loses its check', signal('lost')],
  ['has a check that cannot run', signal('fault')],
  ['is carried over to another run', at('publish', (world) => world.crash())],
])('a landing that %s blocks nobody: the next one has its turn', (how, end) => {
  const world = new World();
  world.enqueue(request(1), { ...(how.includes('conflict') && { conflict: ['a'] }), red: how.includes('red') });
  world.enqueue(request(2));
  end(world);
  settleDown(world);
  expect(world.told.get('e2.1')).toMatchObject([{ kind: 'landed' }]);
  expect(world.told.get('e1.1')).toHaveLength(1);
  expect(queueView(world.state)).toMatchObject({ state: 'running', entries: [] });
});

test('who comes while another one lands is not turned away: it has a place that can be seen, and its turn', () => {
  const world = new World();
  world.enqueue(request(1));
  upTo(world, 'publish');
  for (const n of [2, 3, 4]) world.enqueue(request(n));
  const places = queueView(world.state).entries.map(({ entry, position }) => [position, entry]);
  expect(places).toEqual([1, 2, 3, 4].map((n) => [n, `e${n}.1`]));
  settleDown(world);
  expect(landed(world)).toEqual([1, 2, 3, 4].map((n) => `e${n}.1`));
});

test('a failure after the push was sent frees nothing: nobody else begins before the fence said what became of it', () => {
  const world = new World();
  world.enqueue(request(1));
  world.enqueue(request(2));
  const push = upTo(world, 'publish');
  world.fail(world.flights.findIndex((f) => f.command === push));
  allBut(world, 'fence');
  expect(world.state.entries.find((e) => e.request.entry === 'e1.1')).toMatchObject({ began: true, needsFence: true });
  expect([sent(world, 'prepare'), sent(world, 'publish')]).toEqual([1, 1]);
  // It had got through after all.
  world.act(world.flights.findIndex((f) => f.command === push));
  settleDown(world);
  expect(landed(world)).toEqual(['e1.1', 'e2.1']);
  expect(world.pushes.get('e1.1')).toBe(1);
});

test('an answer that names another entry, or the task of another, settles nobody', () => {
  const world = new World();
  world.enqueue(request(1));
  world.enqueue(request(2));
  const push = upTo(world, 'publish');
  const foreign: Landing = {
    ...{ entry: 'e2.1', task: 'web/ET-002', generation: 1, head: 'h2.1', commit: 'c', tree: 't', base: 'root' },
    ...{ plan: 'p', at: '2026-01-01T00:00:00Z', verdict: 'green' },
  };
  answer(world, push, { kind: 'published', call: push.call, result: { kind: 'landed', landing: foreign } });
  expect([world.state.entries.length, world.state.settled.length]).toEqual([2, 0]);
  const again = upTo(world, 'fence');
  answer(world, again, { kind: 'fenced', call: again.call, result: { kind: 'landed', landing: foreign } });
  const prepare = upTo(world, 'prepare');
  answer(world, prepare, { kind: 'prepared', call: prepare.call, result: { kind: 'landed', landing: foreign } });
  expect(world.state.settled).toEqual([]);
  settleDown(world);
  expect(landed(world)).toEqual(['e1.1', 'e2.1']);
});

test('what a landing needs is looked at before it takes its turn: without a host nothing is begun, and nothing held', () => {
  const world = new World();
  world.hosts = [];
  world.enqueue(request(1));
  for (let i = 0; i < 20; i += 1) {
    allBut(world, 'publish');
    world.tick();
  }
  expect([sent(world, 'prepare'), sent(world, 'publish')]).toEqual([0, 0]);
  expect(world.state.entries[0]).toMatchObject({ began: false, leaseUntil: null });
  world.feed({ kind: 'withdraw', entry: 'e1.1', reason: 'not wanted' });
  world.hosts = ['a'];
  world.enqueue(request(2));
  settleDown(world);
  expect(landed(world)).toEqual(['e2.1']);
});

test('a landing that is put off keeps its entry, its place and its count: it is no new one at the end of the line', () => {
  const world = new World();
  for (const n of [1, 2, 3]) world.enqueue(request(n));
  const places: string[][] = [];
  const note = (): void => void places.push(inOrder(world.state).map((e) => e.request.entry));
  note();
  // Base moves under it, the store holds it at the push, its worker dies: three ways to be put off.
  upTo(world, 'publish');
  world.push(false);
  world.deliver(world.flights.findIndex((f) => f.command.kind === 'publish'));
  note();
  const held = upTo(world, 'publish');
  answer(world, held, { kind: 'published', call: held.call, result: { kind: 'gated', reason: 'pause' } });
  note();
  expect(world.state.entries.find((e) => e.request.entry === 'e1.1')?.tries).toBe(2);
  const push = upTo(world, 'publish');
  world.fail(world.flights.findIndex((f) => f.command === push));
  note();
  expect(world.state.entries.find((e) => e.request.entry === 'e1.1')).toMatchObject({ seq: 1, tries: 3 });
  expect(places).toEqual(places.map(() => ['e1.1', 'e2.1', 'e3.1']));
  settleDown(world);
  expect(landed(world).filter((e) => e !== null)).toEqual(['e1.1', 'e2.1', 'e3.1']);
});
