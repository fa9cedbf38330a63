/** Several bases of one remote, each a repository and a queue of its own: what happens to one does not touch the other. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLandings, type Landings } from '../../../activities/git/landing.js';
import type { Gate, LandingPlan, PrepareResult } from '../../../domain/merge-queue/types.js';
import { entryId } from '../../../domain/merge-queue/plan.js';
import { git, makeWorld, MemoryRecords, type World } from '../../support/git.js';

const ALL = ['main', 'release'] as const;
type Base = (typeof ALL)[number];

let world: World;
let records: Record<Base, MemoryRecords>;
let landings: Record<Base, Landings>;
beforeEach(() => {
  world = makeWorld();
  git(world.remote, 'branch', 'release', 'main');
  git(world.remote, 'update-ref', 'refs/signalbox/tip/release', 'main');
  const release = { ...world.repo, id: 'web-release', base: 'release', prefix: 'RE' };
  records = { main: new MemoryRecords(world.repo), release: new MemoryRecords(release) };
  // One host: they share its directories and nothing else.
  const host = world.host('one');
  landings = { main: createLandings(host, records.main), release: createLandings(host, records.release) };
});
afterEach(() => world.cleanUp());

const tipOf = (base: Base): string => world.remoteRef(`refs/heads/${base}`);
const fenceOf = (base: Base): string => world.remoteRef(`refs/signalbox/tip/${base}`);
const head = (n: number): string => world.head(`X-${n}`, { [`src/${n}.txt`]: `${n}\n` });

function prepare(base: Base, n: number, oid = head(n)): Promise<PrepareResult> {
  const { id, prefix } = records[base].known;
  const workItem = `${prefix}-${n}`;
  git(world.person, 'push', '-q', '-f', 'origin', `${oid}:refs/signalbox/heads/${workItem}`);
  const identity = { repo: id, base, task: `${id}/${workItem}`, generation: 1, head: oid, try: 1 };
  return landings[base].prepareLanding(
    { ...world.request(workItem, oid), ...identity, entry: entryId(identity) },
    null,
  );
}

async function planned(base: Base, n: number, oid?: string): Promise<LandingPlan> {
  const result = await prepare(base, n, oid);
  if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
  return result.plan;
}

async function land(base: Base, plan: LandingPlan): Promise<string> {
  const result = await landings[base].publishLanding(plan, { kind: 'none', tree: plan.tree });
  if (result.kind === 'landed') records[base].landings.push(result.landing);
  return result.kind === 'blocked' ? result.block.code : result.kind;
}

it('land at the same time, each on its own branch and behind its own fence', async () => {
  for (let round = 1; round <= 2; round += 1) {
    const plans = { main: await planned('main', round), release: await planned('release', 10 + round) };
    expect(await Promise.all(ALL.map((base) => land(base, plans[base])))).toEqual(['landed', 'landed']);
    for (const base of ALL) expect([tipOf(base), fenceOf(base)]).toEqual([plans[base].commit, plans[base].commit]);
  }
  for (const base of ALL) expect(git(world.remote, 'rev-list', '--count', base)).toBe('3');
});

it('the same work lands on both, once each', async () => {
  const oid = head(1);
  const plans = { main: await planned('main', 1, oid), release: await planned('release', 1, oid) };
  expect(plans.main.entry.entry).not.toBe(plans.release.entry.entry);
  for (const base of [...ALL, ...ALL]) expect(await land(base, plans[base])).toBe('landed');
  for (const base of ALL) expect(git(world.remote, 'rev-list', '--count', base)).toBe('2');
});

it('a fence, a rewind and a push of a person on one leave the other as it is', async () => {
  const first = await planned('main', 1);
  expect(await land('main', first)).toBe('landed');
  const waiting = await planned('release', 2);
  const before = [tipOf('release'), fenceOf('release')];
  await landings.main.fenceLanding('web', 'main', null);
  world.setBase(first.baseOid);
  expect(await prepare('main', 3)).toMatchObject({ kind: 'blocked', block: { code: 'base-rewound' } });
  world.personPush({ 'src/b.txt': 'bb\n' });
  expect([tipOf('release'), fenceOf('release')]).toEqual(before);
  expect(await land('release', waiting)).toBe('landed');
});

it('a pause or a freeze of one base holds that one alone', async () => {
  const gate: Gate = {
    ...{ id: 1, repo: 'web', kind: 'freeze', scope: 'all', base: 'main', reason: 'r', by: 'ada', since: '' },
  };
  for (const base of ALL) records[base].gates = [gate];
  const plans = { main: await planned('main', 1), release: await planned('release', 2) };
  expect(await land('main', plans.main)).toBe('gated');
  expect(await land('release', plans.release)).toBe('landed');
});
