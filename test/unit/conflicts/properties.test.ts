import fc from 'fast-check';
import { expect, test } from 'vitest';
import { obstacles, reviewFlags, type Scan } from '../../../domain/conflicts/flags.js';
import { allPairs, pairKey, sortPairs } from '../../../domain/conflicts/pairs.js';
import type { ConflictFlag, LiveHead, Prediction } from '../../../domain/conflicts/types.js';

const BASE = { name: 'main', oids: ['b0', 'b1', 'b2'] };
const heads = fc.uniqueArray(
  fc.integer({ min: 0, max: 40 }).map((n) => `h${n}`),
  { maxLength: 12 },
);

test('each pair is asked once: a new head costs as many as there are others and base, an unchanged set none', () => {
  fc.assert(
    fc.property(heads, (list) => {
      const known = allPairs('b0', list);
      expect(new Set(known.map(pairKey)).size).toBe(known.length);
      expect(known.length).toBe((list.length * (list.length + 1)) / 2);
      const missing = (base: string, now: string[]) => sortPairs(base, now, known).missing;
      expect(sortPairs('b0', [...list].reverse(), known)).toEqual({ there: known, missing: [] });
      expect(missing('b0', [...list, 'new']).length).toBe(list.length + 1);
      // Of what is gone nothing is left.
      expect(sortPairs('b0', list.slice(1), known).there).toEqual(allPairs('b0', list.slice(1)));
      expect(missing('b1', list)).toEqual(allPairs('b1', list).slice(0, list.length));
    }),
  );
});

test('the same head of two tasks is one', () => {
  expect(allPairs('b', ['x', 'x', 'b'])).toEqual([{ a: 'b', b: 'x' }]);
});

/** Work at a moment: what each head is, its place, and which pairs do not merge. */
const moment = fc.record({
  baseOid: fc.constantFrom(...BASE.oids),
  work: fc.uniqueArray(fc.record({ n: fc.nat({ max: 6 }), version: fc.nat({ max: 2 }), queued: fc.boolean() }), {
    selector: ({ n }) => n,
    maxLength: 6,
  }),
  bad: fc.func(fc.constantFrom('clean' as const, 'clean' as const, 'conflict' as const, 'unrelated' as const)),
});

function scanOf(at: {
  baseOid: string;
  work: { n: number; version: number; queued: boolean }[];
  bad: (pair: string) => Prediction['kind'];
}): Scan {
  let place = 0;
  const live = at.work.map(({ n, version, queued }): LiveHead => ({
    ...{ task: `web/ET-${n}`, head: `h${n}.${version}` },
    place: queued ? (place += 1) : null,
  }));
  const pairs = allPairs(
    at.baseOid,
    live.map(({ head }) => head),
  );
  const predictions = pairs.map((pair): Prediction => {
    const kind = at.bad(pairKey(pair));
    return { ...pair, kind, paths: kind === 'conflict' ? ['a.txt'] : [] };
  });
  return { base: BASE.name, baseOid: at.baseOid, live, predictions };
}

test('a flag is told once, stands while something is in the way, and goes when nothing is', () => {
  fc.assert(
    fc.property(fc.array(moment, { maxLength: 12 }), (moments) => {
      let flags: ConflictFlag[] = [];
      const told = new Map<string, number>();
      for (const [i, at] of moments.entries()) {
        const scan = scanOf(at);
        const live = scan.live.map(({ task }) => task);
        const before = flags;
        const review = reviewFlags(before, live, scan, `t${i}`);
        const kindOf = (a: string, b: string): Prediction['kind'] =>
          scan.predictions.find((p) => pairKey(p) === pairKey({ a, b }))?.kind ?? 'clean';
        for (const { task, head } of scan.live) {
          const [was, is] = [before, review.flags].map((list) => list.find((flag) => flag.task === task));
          const raised = review.raised.some((flag) => flag.task === task);
          if (kindOf(at.baseOid, head) === 'unrelated') expect([is?.since, raised]).toEqual([was?.since, false]);
          if (kindOf(at.baseOid, head) === 'conflict') expect(is?.against.map(({ kind }) => kind)).toEqual(['base']);
          if (was && is) expect(is.since).toBe(was.since);
          expect(raised).toBe(was === undefined && is !== undefined);
          expect(review.cleared.some((flag) => flag.task === task)).toBe(was !== undefined && is === undefined);
          if (raised) told.set(`${task} ${is?.since ?? ''}`, (told.get(`${task} ${is?.since ?? ''}`) ?? 0) + 1);
        }
        // Nothing of what is over.
        expect(review.flags.every(({ task }) => live.includes(task))).toBe(true);
        // Nobody is in his own way, nor is what cannot land itself.
        for (const [task, against] of obstacles(scan)) {
          for (const { kind, name } of against) {
            expect(name).not.toBe(task);
            if (kind === 'entry') expect(scan.live.find((work) => work.task === name)?.place).not.toBeNull();
          }
        }
        const { report } = review;
        expect([report.flagged, report.cleared, report.notified]).toEqual([
          review.raised.length,
          review.cleared.length,
          review.raised.length,
        ]);
        const again = reviewFlags(review.flags, live, scan, 'later');
        expect([again.flags, again.report]).toEqual([review.flags, { ...report, flagged: 0, cleared: 0, notified: 0 }]);
        flags = review.flags;
      }
      expect([...told.values()].every((times) => times === 1)).toBe(true);
    }),
  );
});

test('work is in the way only of what lands after it', () => {
  const pair = (a: string, b: string, kind: Prediction['kind']): Prediction => ({ a, b, kind, paths: ['a.txt'] });
  const live: LiveHead[] = [
    { task: 'web/ET-001', head: 'h1', place: 2 },
    { task: 'web/ET-002', head: 'h2', place: 1 },
    { task: 'web/ET-003', head: 'h3', place: null },
    { task: 'web/ET-004', head: 'h4', place: null },
  ];
  const clean = live.map(({ head }) => pair('b', head, 'clean'));
  const others = allPairs('b', ['h1', 'h2', 'h3', 'h4']).slice(4);
  const predictions = [...clean, ...others.map(({ a, b }) => pair(a, b, 'conflict'))];
  const { flags } = reviewFlags(
    [],
    live.map(({ task }) => task),
    { base: 'main', baseOid: 'b', live, predictions },
    't',
  );
  expect(flags.map(({ task, against }) => [task, against.map(({ name }) => name)])).toEqual([
    ['web/ET-001', ['web/ET-002']],
    ['web/ET-003', ['web/ET-002', 'web/ET-001']],
    ['web/ET-004', ['web/ET-002', 'web/ET-001']],
  ]);
});
