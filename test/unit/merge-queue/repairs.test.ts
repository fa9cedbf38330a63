import { expect, test } from 'vitest';
import { carry, unpack } from '../../../domain/merge-queue/carry.js';
import { queueView } from '../../../domain/merge-queue/view.js';
import { REPAIR_WAIT, request, World, type Nature } from './world.js';

/** All that can be done without time passing. */
function work(world: World): void {
  while (world.flights.length > 0 || world.running.length > 0) {
    if (world.flights.length > 0) world.deliver(0);
    else world.signal(0, 'once');
  }
}
function enqueue(world: World, n: number, nature: Nature = {}, nth = 1): void {
  world.enqueue(request(n, 'normal', nth), nature);
  work(world);
}
const outcome = (world: World, n: number, nth = 1): string | undefined =>
  world.told.get(request(n, 'normal', nth).entry)?.[0]?.kind;
const waitsFor = (world: World, n: number): string | null | undefined =>
  queueView(world.state).entries.find((e) => e.task === request(n).task)?.waitsFor;
const task = (n: number): string => request(n).task;

test('of two that conflict in the same path the second waits in its place, and goes on when the first has landed', () => {
  const world = new World();
  enqueue(world, 1, { conflict: ['a', 'b'] });
  enqueue(world, 2, { conflict: ['b', 'c'] });
  enqueue(world, 3, { conflict: ['d'] });
  enqueue(world, 4);
  expect([1, 2, 3, 4].map((n) => outcome(world, n))).toEqual(['conflict', undefined, 'conflict', 'landed']);
  const [entry] = queueView(world.state).entries;
  expect(entry).toMatchObject({ position: 1, phase: 'queued', waitsFor: task(1) });
  expect(entry?.detail).toBe('waits for the repair of web/ET-001, which touches b as well');
  world.natures.set(request(2).entry, {});
  world.checksAtOnce = false;
  enqueue(world, 1, {}, 2);
  expect([outcome(world, 1, 2), outcome(world, 2)]).toEqual(['landed', 'landed']);
  const landed = world.base.map((b) => b.entry);
  expect(landed.indexOf(request(1, 'normal', 2).entry)).toBeLessThan(landed.indexOf(request(2).entry));
});

test.each<[string, (world: World) => void]>([
  ['the other task ends', (world) => world.feed({ kind: 'taskEnded', task: task(1) })],
  [
    'it comes back and is taken out',
    (world) => {
      world.gate('pause');
      world.enqueue(request(1, 'normal', 2), {});
      world.feed({ kind: 'withdraw', entry: request(1, 'normal', 2).entry, reason: 'no' });
      world.resume();
    },
  ],
  [
    'it comes back, and is in the way no longer',
    (world) => world.enqueue(request(1, 'normal', 2), { conflict: ['z'] }),
  ],
  [
    'it takes too long',
    (world) => {
      expect(world.deadline).toBe(world.now + REPAIR_WAIT);
      world.tick();
    },
  ],
])('an entry goes on when %s', (_, end) => {
  const world = new World();
  enqueue(world, 1, { conflict: ['a'] });
  enqueue(world, 2, { conflict: ['a'] });
  expect(waitsFor(world, 2)).toBe(task(1));
  end(world);
  work(world);
  expect(outcome(world, 2)).toBe('conflict');
  expect(world.state.entries).toEqual([]);
});

test('one that comes back and conflicts again is still the first', () => {
  const world = new World();
  enqueue(world, 1, { conflict: ['a'] });
  enqueue(world, 2, { conflict: ['a'] });
  enqueue(world, 1, { conflict: ['a'] }, 2);
  expect([outcome(world, 1, 2), waitsFor(world, 2)]).toEqual(['conflict', task(1)]);
});

test('nobody waits for one that waits itself', () => {
  const world = new World();
  enqueue(world, 1, { conflict: ['a'] });
  enqueue(world, 2, { conflict: ['b'] });
  enqueue(world, 1, { conflict: ['b'] }, 2);
  expect(waitsFor(world, 1)).toBe(task(2));
  enqueue(world, 2, { conflict: ['a'] }, 2);
  expect(outcome(world, 2, 2)).toBe('conflict');
  // What the second touches now is not what the first waited for.
  expect([outcome(world, 1, 2), world.state.entries]).toEqual(['conflict', []]);
});

test('a queue that began before repairs had an order has none', () => {
  const world = new World();
  world.state.conflicts = false;
  enqueue(world, 1, { conflict: ['a'] });
  enqueue(world, 2, { conflict: ['a'] });
  expect(outcome(world, 2)).toBe('conflict');
  expect(world.sent.some(({ kind }) => kind === 'predict')).toBe(false);
});

const predictions = (world: World): number => world.sent.filter(({ kind }) => kind === 'predict').length;

test('one prediction for all that comes at once, never beside the git of a landing, and none for an idle queue', () => {
  const world = new World();
  world.checksAtOnce = true;
  for (const n of [1, 2, 3]) world.enqueue(request(n));
  // The world throws at one beside the git of a landing, or beside another one.
  work(world);
  expect(world.base).toHaveLength(4);
  // The first host and the first gates come in either order: none is asked for before the first landing.
  expect(predictions(world)).toBe(3);
  world.calm();
  world.now += 10 * REPAIR_WAIT;
  expect([predictions(world), world.deadline]).toEqual([3, null]);
});

test('a base that somebody pushed to is looked at, once; a look that fails holds up nothing', () => {
  const world = new World();
  world.checksAtOnce = true;
  enqueue(world, 1);
  const before = predictions(world);
  world.push(false);
  world.enqueue(request(2));
  for (;;) {
    const at = world.flights.findIndex(({ command }) => command.kind === 'predict');
    if (at >= 0) world.fail(at);
    else if (world.flights.length > 0) world.deliver(0);
    else break;
  }
  expect(outcome(world, 2)).toBe('landed');
  expect(predictions(world)).toBe(before + 1);
  expect(world.state.calls).toEqual([]);
});

test('a thousand that wait, of 200 long paths each, are carried in less than a megabyte, and wait on', () => {
  const world = new World();
  const shared = ['a', 'b', 'c'].map((name) => `shared/${'deep/'.repeat(60)}${name}.ts`);
  const paths = (n: number): string[] => [
    ...Array.from({ length: 197 }, (_, i) => `${n}/${i}/${'deep/'.repeat(60)}x.ts`),
    ...shared,
  ];
  enqueue(world, 1, { conflict: paths(1) });
  enqueue(world, 2, { conflict: paths(2) });
  const [waiting] = world.state.entries;
  const [repair] = world.state.repairs;
  const [settled] = world.state.settled;
  if (waiting?.waitsFor == null || repair === undefined || settled === undefined) throw new Error('nobody waits');
  const oid = 'f'.repeat(40);
  const words = { head: oid, entry: oid.slice(8), title: 'A title of a common length, as people write them' };
  const others = Array.from({ length: 999 }, (_, i) => {
    return { ...waiting, seq: waiting.seq + 1 + i, request: { ...request(i + 100), ...words } };
  });
  const carried = carry({
    ...world.state,
    settled: Array.from({ length: 200 }, () => settled),
    entries: [waiting, ...others],
    repairs: [...Array.from({ length: 49 }, (_, i) => ({ ...repair, task: task(i + 100) })), repair],
  });
  const text = JSON.stringify(carried);
  expect(Buffer.byteLength(text)).toBeLessThan(1_000_000);
  const { repairs, ...whole } = JSON.parse(text) as typeof carried;
  world.state = unpack('web', 'main', {
    ...{ ...whole, repairs: repairs.slice(-1), settled: world.state.settled },
    entries: whole.entries.slice(0, 1),
  });
  world.feed({ kind: 'tick' });
  work(world);
  expect(waitsFor(world, 2)).toBe(task(1));
  // Ids and paths know each other.
  enqueue(world, 3, { conflict: shared.slice(2) });
  expect(waitsFor(world, 3)).toBe(task(1));
  world.feed({ kind: 'taskEnded', task: task(1) });
  work(world);
  expect(outcome(world, 2)).toBe('conflict');
});
