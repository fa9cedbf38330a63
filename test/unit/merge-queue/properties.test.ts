import fc from 'fast-check';
import { expect, test } from 'vitest';
import { carry, unpack, type CarriedQueue } from '../../../domain/merge-queue/carry.js';
import { pathId } from '../../../domain/merge-queue/path-ids.js';
import { AGING } from '../../../domain/merge-queue/order.js';
import { PRIORITIES } from '../../../domain/tasks.js';
import { request, World, type Nature } from './world.js';

const n = fc.nat({ max: 30 });
const act = <T extends string>(...kinds: T[]): fc.Arbitrary<{ op: T; n: number }> =>
  fc.record({ op: fc.constantFrom(...kinds), n });

/** Weighted so that much gets done and everything goes wrong now and then. */
const actions = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: act('enqueue') },
    { weight: 16, arbitrary: act('deliver') },
    { weight: 3, arbitrary: act('act', 'deliverAgain', 'fail', 'tick', 'signal', 'signal') },
    { weight: 2, arbitrary: act('comeBack', 'comeBack', 'endTask', 'hour') },
    { weight: 2, arbitrary: act('withdraw', 'repeat', 'signalAgain', 'signalLost', 'signalFault', 'crash', 'newer') },
    {
      weight: 1,
      arbitrary: act(
        'urge',
        'place',
        'fix',
        'fix',
        'pause',
        'freeze',
        'drain',
        'resume',
        'accept',
        'personGreen',
        'personRed',
        'rewind',
      ),
    },
    { weight: 1, arbitrary: act('hostGone', 'hostsBack', 'refuse', 'admit', 'otherBase', 'loseTip') },
  ),
  { minLength: 10, maxLength: 140 },
);

function play(world: World, op: string, k: number, sent: Map<string, [number, number]>): void {
  const names = [...sent.values()];
  const known = names[k % Math.max(1, names.length)];
  const priority = PRIORITIES[k % 4] ?? 'normal';
  const clashes = [{ conflict: ['a'] }, { conflict: ['a', 'b'] }, { conflict: ['b', 'c'] }];
  const natures: Nature[] = [{}, {}, {}, {}, ...clashes, { red: true }, { fix: true }];
  const enqueue = (item: number, nth: number): void => {
    const r = request(item, priority, nth);
    sent.set(r.entry, [item, nth]);
    world.enqueue(r, natures[k % natures.length] ?? {});
  };
  const moves: Record<string, () => void> = {
    enqueue: () => enqueue(sent.size + 1, 1),
    repeat: () => known && enqueue(known[0], known[1]),
    // A task that was sent to repair has mended it, or something else is in the way now.
    comeBack: () => {
      const away = [...world.repairs.away.keys()];
      const task = away[k % Math.max(1, away.length)];
      const tries = names.filter(([item]) => request(item).task === task);
      const last = tries.reduce((most, one) => (one[1] > most[1] ? one : most), tries[0] ?? [0, 0]);
      if (task !== undefined && tries.length > 0) enqueue(last[0], last[1] + 1);
    },
    endTask: () => {
      const task = [...world.repairs.away.keys()][0];
      if (task !== undefined) world.feed({ kind: 'taskEnded', task });
    },
    hour: () => {
      world.now += 600_000 * (k % 7);
    },
    newer: () => known && enqueue(known[0], known[1] + 1),
    withdraw: () => {
      const [item, nth] = known ?? [sent.size + 1, 1];
      world.feed({ kind: 'withdraw', entry: request(item, 'normal', nth).entry, reason: 'not wanted' });
    },
    urge: () => {
      const [item, nth] = known ?? [1, 1];
      const change = { version: k, title: 'Changed', priority };
      world.feed({ kind: 'entryChanged', entry: request(item, 'normal', nth).entry, change });
    },
    place: () => known && world.edit(request(known[0], 'normal', known[1]).entry, { priority }),
    fix: () => known && world.markFix(request(known[0], 'normal', known[1]).entry, k % 4 !== 0),
    deliver: () => world.deliver(k),
    deliverAgain: () => world.deliver(k, true),
    act: () => world.act(k),
    fail: () => world.fail(k),
    tick: () => world.tick(),
    signal: () => world.signal(k, 'once'),
    signalAgain: () => world.signal(k, 'again'),
    signalLost: () => world.signal(k, 'lost'),
    signalFault: () => world.signal(k, 'fault'),
    crash: () => world.crash(),
    pause: () => world.gate('pause'),
    freeze: () => world.gate('freeze', 'landing'),
    drain: () => world.gate('drain'),
    otherBase: () => {
      world.feed({ kind: 'gateChanged', id: `other${k}`, acceptTip: 'old' });
    },
    resume: () => world.resume(),
    accept: () => world.resume(true),
    personGreen: () => world.push(false),
    personRed: () => world.push(true),
    rewind: () => world.rewind(),
    hostGone: () => (world.hosts = k % 3 === 0 ? [] : ['b']),
    hostsBack: () => (world.hosts = ['a', 'b']),
    refuse: () => (world.pushRefused = true),
    loseTip: () => world.loseTip(),
    admit: () => (world.pushRefused = false),
  };
  moves[op]?.();
}

test('whatever is lost, repeated, late or dies: one at a time, none twice, none lost, in order', () => {
  let landings = 0;
  let waits = 0;
  fc.assert(
    fc.property(actions, fc.boolean(), (list, checksAtOnce) => {
      const world = new World();
      world.checksAtOnce = checksAtOnce;
      const sent = new Map<string, [number, number]>();
      for (const { op, n: k } of list) play(world, op, k, sent);
      world.calm();
      expect(world.state.entries).toEqual([]);
      for (const entry of sent.keys()) {
        const told = world.told.get(entry) ?? [];
        expect(told.length, `${entry} was never told`).toBeGreaterThan(0);
        expect(new Set(told.map((o) => o.kind)).size).toBe(1);
        expect(world.rows.get(entry)?.kind).toBe(told[0]?.kind);
        expect(world.pushes.get(entry) ?? 0, `${entry} was pushed twice`).toBeLessThanOrEqual(1);
        const pushed = world.pushes.has(entry);
        if (told[0]?.kind === 'landed') expect(pushed).toBe(true);
        // A landing that a person took away again is told as refused; nothing else may hide a push.
        else if (pushed) expect(world.base.some((b) => b.entry === entry)).toBe(false);
      }
      landings += world.pushes.size;
      waits += world.repairs.waits;
    }),
    { numRuns: 150 },
  );
  expect(landings).toBeGreaterThan(200);
  expect(waits).toBeGreaterThan(50);
}, 30_000);

test('a bigger queue comes out in the order of urgency, then age, and nobody waits for more than his share', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PRIORITIES), { minLength: 1, maxLength: 60 }), (priorities) => {
      const world = new World();
      world.gate('pause');
      priorities.forEach((p, i) => world.enqueue(request(i + 1, p)));
      world.calm();
      const landed = world.base.slice(1).map((b) => Number(b.entry?.slice(1).split('.')[0]) - 1);
      expect([...landed].sort((a, b) => a - b)).toEqual(priorities.map((_, i) => i));
      for (const [place, entry] of landed.entries()) {
        const overtook = landed.slice(0, place).filter((other) => other > entry).length;
        expect(overtook).toBeLessThanOrEqual(AGING * PRIORITIES.indexOf(priorities[entry] ?? 'urgent'));
      }
      // Up to the first that is due, urgency alone decides.
      const head = landed.slice(0, AGING);
      const urgency = [...priorities.entries()].sort(
        ([i, p], [j, q]) => PRIORITIES.indexOf(p) - PRIORITIES.indexOf(q) || i - j,
      );
      expect(head).toEqual(urgency.slice(0, AGING).map(([i]) => i));
    }),
    { numRuns: 40 },
  );
});

test('a low one lands while urgent ones never end', () => {
  const world = new World();
  world.gate('pause');
  world.enqueue(request(1, 'low'));
  for (let i = 2; i <= 60; i += 1) world.enqueue(request(i, 'urgent'));
  world.calm();
  const order = world.base.slice(1).map((b) => b.entry);
  expect(order.indexOf(request(1).entry)).toBe(3 * AGING);
});

test('a queue that has seen many remembers as much as one that has seen fewer', () => {
  const sizeAfter = (many: number): number => {
    const world = new World();
    world.checksAtOnce = true;
    world.trusting = true;
    for (let i = 1; i <= many; i += 1) {
      world.feed({ kind: 'withdraw', entry: `unheard-of-${i}`.padEnd(64, '.'), reason: 'gone' });
      world.feed({ kind: 'gateChanged', id: `gate-${i}`.padEnd(32, '.'), acceptTip: null });
      world.enqueue(request(i), i % 7 === 0 ? { conflict: [`p${i}`] } : {});
      while (world.flights.length > 0) world.deliver(0);
    }
    expect(world.state.entries).toEqual([]);
    return JSON.stringify(world.state).length;
  };
  expect(sizeAfter(600)).toBeLessThan(sizeAfter(250) * 1.05);
}, 30_000);

test('what is carried from run to run comes out as it was, and what only waits weighs little', () => {
  fc.assert(
    fc.property(actions, (list) => {
      const world = new World();
      const sent = new Map<string, [number, number]>();
      for (const { op, n: k } of list) play(world, op, k, sent);
      const carried = JSON.parse(JSON.stringify(carry(world.state))) as CarriedQueue;
      // Paths are carried as ids, which are compared like the paths.
      const ids = <T extends { paths: string[] }>(of: T): T => ({ ...of, paths: of.paths.map(pathId) });
      const { entries, repairs } = world.state;
      expect(unpack('web', 'main', carried)).toEqual({
        ...{ ...world.state, mirrored: '', repairs: repairs.map(ids) },
        entries: entries.map((entry) => (entry.waitsFor == null ? entry : { ...entry, waitsFor: ids(entry.waitsFor) })),
      });
    }),
    { numRuns: 20 },
  );
  const world = new World();
  world.trusting = true;
  world.gate('pause');
  for (let i = 1; i <= 1000; i += 1) world.enqueue(request(i));
  const bytes = (state: unknown): number => JSON.stringify(state).length;
  const requests = bytes(world.state.entries.map((e) => e.request));
  expect(bytes(carry(world.state))).toBeLessThan(requests * 1.3);
}, 30_000);
