/** The store is lost and the remote is not: what comes back, and what the audit says then. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AuditReport } from '../../../domain/merge-queue/audit-types.js';
import type { Repo } from '../../../domain/repos.js';
import { allLandings, lastLanding } from '../../../store/landings.js';
import { startApi, type Reply, type TestApi } from '../../support/api.js';
import { git } from '../../support/git.js';
import { LandingYard, type Landed } from '../../support/landings.js';
import { stored } from '../../support/stored.js';

let api: TestApi;
let yard: LandingYard;
let first: Repo;
let landed: Landed[];

beforeAll(async () => {
  api = await startApi();
  yard = new LandingYard(api);
  first = await yard.register();
  landed = [
    await yard.land('rebase-ff', { 'one.txt': '1\n' }, { 'two.txt': '2\n' }),
    await yard.land('merge', { 'three.txt': '3\n' }),
  ];
  yard.world.personPush({ 'by-hand.txt': 'x\n' });
  landed.push(await yard.land('squash', { 'four.txt': '4\n' }));
  // A head that never landed uses its number as well.
  yard.world.head('ET-007', { 'five.txt': '5\n' });
});
afterAll(async () => {
  await api.close();
  yard.world.cleanUp();
});

const sql = (text: string) => api.database.pool.query(text);
const rebuild = (): Promise<Reply> => api.call('POST', '/api/repos/web/rebuild', {});
const rows = () => allLandings(api.database.pool, 'web', 'main');

async function audit(): Promise<AuditReport> {
  const reply = await api.call('GET', '/api/repos/web/audit');
  expect(reply.status, reply.text).toBe(200);
  return reply.json as AuditReport;
}

async function loseStore(): Promise<void> {
  await sql('TRUNCATE repos, tasks, landings, merge_entries, verdicts, used_numbers, audit, events, outbox CASCADE');
}

it('finds nothing to do while nothing is lost', async () => {
  const before = await stored(api.database.pool);
  const reply = await rebuild();
  expect(reply.json).toEqual({
    ...{ repo: 'web', base: 'main', landings: 3, restored: 0, adoptedAt: first.adoptedAt },
    numbers: [{ prefix: 'ET', highest: 7 }],
  });
  expect(await stored(api.database.pool)).toBe(before);
});

it('the history is gone: brings the landings back from the remote, and goes on after the last number that was used', async () => {
  const before = await rows();
  await loseStore();
  const again = await yard.register();
  expect(again.adoptedAt).toBe(yard.world.base());
  // Adopted anew, nothing of before is asked about.
  expect(await audit()).toMatchObject({ ok: true, landings: 0 });

  const reply = await rebuild();
  expect(reply.status, reply.text).toBe(200);
  expect(reply.json).toMatchObject({ landings: 3, restored: 3, adoptedAt: first.adoptedAt });
  const second = (at: string): string => at.slice(0, 17);
  const comparable = (row: (typeof before)[number]) => ({ ...row, verdict: 'unknown', at: second(row.at) });
  expect((await rows()).map(comparable)).toEqual(before.map(comparable));

  const report = await audit();
  expect(report).toMatchObject({ ok: true, from: first.adoptedAt, landings: 3, proven: 0, offences: [] });
  expect(report.notes.map(({ code, commit }) => [code, commit])).toEqual(
    landed.map(({ landing }) => ['verdict-not-kept', landing.commit]),
  );
  expect(report.foreign).toHaveLength(1);

  expect((await rebuild()).json).toMatchObject({ landings: 3, restored: 0 });
  expect(await yard.task()).toBe('ET-008');
});

it('lands and proves after that as before, and asks of what landed before as well', async () => {
  const next = await yard.land('rebase-ff', { 'six.txt': '6\n' });
  expect(next.landing.task).toBe('web/ET-009');
  expect(await audit()).toMatchObject({ ok: true, landings: 4, proven: 1 });
  const { world } = yard;
  const base = world.base();
  world.setBase(landed[1]?.landing.commit ?? '');
  expect((await audit()).offences.map(({ code, task }) => [code, task])).toEqual([
    ['rewound-landing', 'web/ET-003'],
    ['rewound-landing', 'web/ET-009'],
  ]);
  world.setBase(base);
  landed.push(next);
});

it('fills a gap, and keeps the order', async () => {
  await sql(`DELETE FROM landings WHERE task IN ('web/ET-002', 'web/ET-009')`);
  expect((await audit()).offences.map(({ code, task }) => [code, task])).toEqual([
    ['unrecorded-landing', 'web/ET-002'],
    ['unproven-tree', 'web/ET-002'],
    ['unrecorded-landing', 'web/ET-009'],
  ]);
  expect((await rebuild()).json).toMatchObject({ landings: 4, restored: 2 });
  expect((await rows()).map((row) => row.task)).toEqual(landed.map(({ landing }) => landing.task));
  expect((await lastLanding(api.database.pool, 'web', 'main'))?.task).toBe('web/ET-009');
  // The verdict of the last one was not lost.
  expect(await audit()).toMatchObject({ ok: true, landings: 4, proven: 1 });
});

it('leaves to the queue what is about to be recorded', async () => {
  await sql(`DELETE FROM landings WHERE task = 'web/ET-009'`);
  await sql(`UPDATE merge_entries SET outcome = NULL`);
  expect((await rebuild()).json).toMatchObject({ landings: 4, restored: 0 });
  await sql(`UPDATE merge_entries SET outcome = '{}'`);
  expect((await rebuild()).json).toMatchObject({ landings: 4, restored: 1 });
});

it('restores nothing that was only said to have landed', async () => {
  const { person, remote } = yard.world;
  const message = git(remote, 'log', '-1', '--format=%B', landed[2]?.landing.commit ?? '');
  git(person, 'fetch', '-q', 'origin', 'main');
  git(person, 'checkout', '-q', '-B', 'main', 'FETCH_HEAD');
  git(person, 'commit', '-q', '--allow-empty', '-m', message.replaceAll('ET-003', 'ET-500'));
  git(person, 'push', '-q', 'origin', 'main');
  expect((await rebuild()).json).toMatchObject({ landings: 4, restored: 0 });
  expect((await audit()).offences).toMatchObject([{ code: 'forged-trailer' }]);
});

it('refuses where a name that had landed was given out again, and changes nothing', async () => {
  await loseStore();
  await yard.register();
  const reused = await yard.task();
  expect(reused).toBe('ET-001');
  const before = await stored(api.database.pool);
  const reply = await rebuild();
  expect(reply.status).toBe(409);
  expect(reply.json).toMatchObject({ code: 'conflict', tasks: ['web/ET-001'] });
  expect(await stored(api.database.pool)).toBe(before);
});

it('knows only its own base branches', async () => {
  const reply = await api.call('POST', '/api/repos/web/rebuild', { base: 'nowhere' });
  expect([reply.status, reply.text]).toEqual([404, expect.stringContaining('nowhere')]);
});
