import { expect, it } from 'vitest';
import { landingsIn } from '../../../domain/merge-queue/audit-claims.js';
import { highestNumbers, rebuiltRows } from '../../../domain/merge-queue/rebuild.js';
import { AuditWorld } from './audit-world.js';

it('makes the rows again from the commits, but for the verdict and when exactly it was', () => {
  const world = new AuditWorld();
  world.land({ size: 3 });
  world.push();
  world.land({ strategy: 'merge' });
  world.land({ strategy: 'squash', generation: 2 });
  const found = landingsIn({ repo: 'web', base: 'main' }, world.commits, '');
  expect(rebuiltRows('web', found)).toEqual(
    world.made.map(({ row }) => ({
      workItem: row.task.slice('web/'.length),
      landing: { ...row, verdict: 'unknown', at: new Date(Date.parse(row.at) - 1000).toISOString() },
    })),
  );
});

it('makes one row of what landed twice: the first', () => {
  const world = new AuditWorld();
  const { row } = world.land({ item: 7 });
  world.land({ item: 7, try: 2 });
  const other = world.land({ item: 7, generation: 2 });
  const found = landingsIn({ repo: 'web', base: 'main' }, world.commits, '');
  expect(rebuiltRows('web', found).map(({ landing }) => landing.commit)).toEqual([row.commit, other.row.commit]);
});

it('counts the numbers of each prefix', () => {
  const names = ['ET-012', 'ET-007', 'AB-1000', 'et-99', 'ET-', 'probe-1a', 'ET-1234567890', 'ET-1x'];
  expect([...highestNumbers(names)]).toEqual([
    ['ET', 12],
    ['AB', 1000],
  ]);
});
