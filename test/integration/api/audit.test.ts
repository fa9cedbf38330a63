/** The audit of real landings on a real remote: what it proves, and what it says once one thing was damaged. */
import path from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGitHost } from '../../../activities/git/host.js';
import { computeLanding } from '../../../activities/git/compute.js';
import { withGate } from '../../../activities/git/gate.js';
import { hostPaths } from '../../../activities/paths.js';
import type { AuditReport } from '../../../domain/merge-queue/audit-types.js';
import type { Repo } from '../../../domain/repos.js';
import { startApi, type TestApi } from '../../support/api.js';
import { runClient, type Ran } from '../../support/client-program.js';
import { commitAll, git, write } from '../../support/git.js';
import { LandingYard, type Landed } from '../../support/landings.js';

const TIP = 'refs/signalbox/tip/main';

let api: TestApi;
let yard: LandingYard;
let repo: Repo;
let rebased: Landed;
let merged: Landed;
let squashed: Landed;
let instance: { api: string; token: string; dataDir: string };

beforeAll(async () => {
  api = await startApi();
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
  instance = { api: url, token: api.token, dataDir: '/nowhere' };
  yard = new LandingYard(api);
  repo = await yard.register();
  rebased = await yard.land('rebase-ff', { 'one.txt': '1\n' }, { 'two.txt': '2\n' });
  merged = await yard.land('merge', { 'three.txt': '3\n' });
  squashed = await yard.land('squash', { 'four.txt': '4\n' }, { 'five.txt': '5\n' });
});
afterAll(async () => {
  await api.close();
  yard.world.cleanUp();
});

async function audit(query = ''): Promise<AuditReport> {
  const reply = await api.call('GET', `/api/repos/web/audit${query}`);
  expect(reply.status, reply.text).toBe(200);
  return reply.json as AuditReport;
}

const offences = async (query = ''): Promise<string[]> =>
  (await audit(query)).offences.map((offence) => `${offence.code} ${offence.commit}`);
const sql = (text: string, ...values: unknown[]) => api.database.pool.query(text, values);
const signalbox = (...args: string[]): Promise<Ran> => runClient(args, instance);

/** Puts base and tip ref back to where they were. */
async function undone(act: () => Promise<void>): Promise<void> {
  const { world } = yard;
  const [base, tip] = [world.base(), world.tip()];
  await act();
  world.setBase(base);
  git(world.remote, 'update-ref', TIP, tip);
}

it('proves landings of all strategies, and begins where it is asked to', async () => {
  const report = await audit();
  const expected = { ok: true, landings: 3, proven: 3, foreign: [], offences: [], notes: [] };
  expect(report).toMatchObject({ ...expected, from: repo.adoptedAt, to: yard.world.base() });
  const later = await audit(`?since=${merged.landing.commit}&strict=true`);
  expect(later).toMatchObject({ ok: true, landings: 1, proven: 1, from: merged.landing.commit });
  // In the middle of the two commits of a rebase.
  const middle = git(yard.world.remote, 'rev-parse', `${rebased.landing.commit}^`);
  expect(await audit(`?since=${middle}`)).toMatchObject({ ok: true, landings: 3, proven: 3 });
});

it('exits 0 where all is proven, and 2 where it cannot be said', async () => {
  const proven = await signalbox('audit', 'web');
  expect([proven.code, proven.err]).toEqual([0, '']);
  expect(proven.out).toMatch(/^web main {2}ok {2}\w{10}\.\.\w{10} {2}3 of 3 landings proven, 0 pushes of people\n$/);
  expect(JSON.parse((await signalbox('audit', 'web', '--json')).out)).toMatchObject({ repo: 'web', ok: true });
  for (const [args, err] of [
    [['nowhere'], /^error: there is no repository nowhere/],
    [['web', '--since', 'a'.repeat(40)], /^error: since "a{40}": the history of main has no commit a{40}/],
    [['web', '--base', 'other'], /^error: since: only main was adopted/],
    [['web', '--base', 'other', '--since', 'a'.repeat(40)], /^error: the remote has no branch other/],
    [['web', '--token', 'sbx_wrong'], /^error: send a valid token/],
    [['web', '--api', 'http://127.0.0.1:9'], /^error: .*does not answer/],
  ] as [string[], RegExp][]) {
    const ran = await signalbox('audit', ...args);
    expect([args, ran.code, ran.out]).toEqual([args, 2, '']);
    expect(ran.err).toMatch(err);
  }
});

describe('after something was done to the remote', () => {
  it('lists a person’s push, and holds it against base only when it is strict', () =>
    undone(async () => {
      const pushed = yard.world.personPush({ 'by-hand.txt': 'x\n' });
      const report = await audit();
      expect(report).toMatchObject({ ok: true, proven: 3 });
      expect(report.foreign).toEqual([
        { commit: pushed, author: 'Dev <dev@example.org>', subject: 'A person was here' },
      ]);
      expect(await offences('?strict=true')).toEqual([`foreign ${pushed}`]);
      const strict = await signalbox('audit', 'web', '--strict');
      expect(strict.code).toBe(1);
      expect(strict.out).toMatch(/web main {2}1 offences/);
      expect(strict.out).toContain(pushed);
    }));

  it('knows trailers that were copied', () =>
    undone(async () => {
      const { person, remote } = yard.world;
      git(person, 'fetch', '-q', 'origin', 'main');
      git(person, 'checkout', '-q', '-B', 'main', 'FETCH_HEAD');
      write(person, { 'evil.txt': 'x\n' });
      const forged = commitAll(person, git(remote, 'log', '-1', '--format=%B', squashed.landing.commit));
      git(person, 'push', '-q', 'origin', 'main');
      expect(await offences()).toEqual([`forged-trailer ${forged}`]);
      const report = await audit();
      expect(report).toMatchObject({ ok: false, landings: 4, proven: 3 });
    }));

  it('knows a landing whose ids come out and whose content is another', () =>
    undone(async () => {
      const { remote, person } = yard.world;
      const { commit, tree } = squashed.landing;
      const other = git(remote, 'rev-parse', `${commit}^^{tree}`);
      const raw = git(remote, 'cat-file', 'commit', commit).replace(tree, other);
      write(person, { '.git/forged': `${raw}\n` });
      const forged = git(person, 'hash-object', '-t', 'commit', '-w', '.git/forged');
      git(person, 'push', '-q', '-f', 'origin', `${forged}:refs/heads/main`);
      expect(await offences()).toContain(`forged-trailer ${forged}`);
    }));

  it('misses a landing that was taken off base, until a person accepts that', () =>
    undone(async () => {
      yard.world.setBase(merged.landing.commit);
      expect(await offences()).toEqual([`rewound-landing ${squashed.landing.commit}`]);
      // Without the record as well: the tip ref remembers.
      await sql('UPDATE landings SET repo = $2 WHERE entry = $1', squashed.landing.entry, 'away');
      expect(await offences()).toEqual([`rewound-landing ${squashed.landing.commit}`]);
      await sql('UPDATE landings SET repo = $2 WHERE entry = $1', squashed.landing.entry, 'web');
      const accepted = await signalbox('resume', 'web', '--accept-tip', merged.landing.commit);
      expect([accepted.code, accepted.err]).toEqual([0, '']);
      const report = await audit();
      expect(report).toMatchObject({ ok: true, landings: 2, proven: 2 });
      expect(report.notes).toMatchObject([{ code: 'accepted-rewind', commit: squashed.landing.commit }]);
      // What was accepted is gone as well: nobody accepted that.
      yard.world.setBase(rebased.landing.commit);
      expect((await offences()).sort()).toEqual(
        [merged, squashed].map(({ landing }) => `rewound-landing ${landing.commit}`).sort(),
      );
    }));

  it('misses the tip ref, and one that forgot a landing', () =>
    undone(async () => {
      git(yard.world.remote, 'update-ref', '-d', TIP);
      expect(await offences()).toEqual([`tip-broken ${squashed.landing.commit}`]);
      git(yard.world.remote, 'update-ref', TIP, merged.landing.commit);
      expect(await offences()).toEqual([`tip-broken ${squashed.landing.commit}`]);
    }));

  it('counts a landing that somebody made once more by hand', () =>
    undone(async () => {
      const { world } = yard;
      const { plan } = squashed;
      git(world.person, 'fetch', '-q', 'origin', 'main');
      git(world.person, 'checkout', '-q', '-B', 'main', 'FETCH_HEAD');
      git(world.person, 'revert', '--no-edit', squashed.landing.commit);
      git(world.person, 'push', '-q', 'origin', 'main');
      const baseOid = world.base();
      const paths = hostPaths(path.join(world.root, 'worker'));
      const host = createGitHost({ paths, lookup: (name) => process.env[name] });
      const again = await withGate(host, { ...world.repo, id: 'web' }, async (gate) => {
        await gate.run(['fetch', '-q', world.remote, 'refs/heads/main'], { protocols: 'file' });
        const made = await computeLanding(gate, { ...plan, baseOid, landingMessage: plan.message });
        if (made.kind !== 'computed') throw new Error(made.kind);
        await gate.run(['push', '-q', world.remote, `${made.commit}:refs/heads/main`], { protocols: 'file' });
        return made.commit;
      });
      expect(world.base()).toBe(again);
      const found = await audit();
      expect(found.offences).toMatchObject([
        { code: 'entry-twice', commit: again, task: squashed.landing.task, entry: squashed.landing.entry },
        { code: 'tip-broken', commit: again },
      ]);
      expect(found).toMatchObject({ landings: 4, proven: 3 });
    }));
});

describe('after something was done to the store', () => {
  it('sees a record that says something else', async () => {
    const { entry, commit } = merged.landing;
    for (const field of ['commit', 'tree', 'entry']) {
      const [row] = (await sql('SELECT * FROM landings WHERE entry = $1', entry)).rows as Record<string, string>[];
      const other = 'f'.repeat(40);
      await sql(`UPDATE landings SET ${field} = $2 WHERE entry = $1`, entry, other);
      expect([field, await offences()]).toEqual([field, [`row-differs ${commit}`]]);
      const key = field === 'entry' ? other : entry;
      await sql(`UPDATE landings SET ${field} = $2 WHERE entry = $1`, key, row?.[field]);
    }
    await sql(`UPDATE landings SET verdict = 'red' WHERE entry = $1`, entry);
    expect(await offences()).toEqual([`unproven-tree ${commit}`]);
    await sql(`UPDATE landings SET verdict = 'green' WHERE entry = $1`, entry);
  });

  it('misses a verdict', async () => {
    const { tree, commit } = rebased.landing;
    await sql(`UPDATE verdicts SET repo = 'away' WHERE tree = $1`, tree);
    expect(await offences()).toEqual([`unproven-tree ${commit}`]);
    await sql(`UPDATE verdicts SET repo = 'web' WHERE tree = $1`, tree);
    expect(await audit()).toMatchObject({ ok: true, proven: 3 });
  });

  it('misses a record, but of an entry that is still open', async () => {
    const { entry, commit } = squashed.landing;
    await sql(`UPDATE landings SET base = 'away' WHERE entry = $1`, entry);
    expect(await offences()).toEqual([`unrecorded-landing ${commit}`]);
    await sql('UPDATE merge_entries SET outcome = NULL WHERE entry = $1', entry);
    expect(await audit()).toMatchObject({ ok: true, notes: [{ code: 'being-recorded', commit }] });
    await sql(`UPDATE merge_entries SET outcome = '{}' WHERE entry = $1`, entry);
    await sql(`UPDATE landings SET base = 'main' WHERE entry = $1`, entry);
  });

  it('does not take a record for a landing', async () => {
    await sql(
      `INSERT INTO landings (entry, repo, base, task, work_item, generation, plan, head, commit, tree, base_oid, verdict, at)
       SELECT 'x', repo, base, 'web/ET-900', 'ET-900', 1, plan, head, commit, tree, base_oid, verdict, at
         FROM landings WHERE entry = $1`,
      merged.landing.entry,
    );
    expect(await offences()).toEqual([`row-differs ${merged.landing.commit}`]);
    await sql(`DELETE FROM landings WHERE entry = 'x'`);
  });

  it('proves without a verdict what landed before there were checks', async () => {
    await api.call('PATCH', '/api/repos/web', { checks: [] });
    await sql(`UPDATE landings SET verdict = 'none' WHERE entry = $1`, merged.landing.entry);
    expect(await audit()).toMatchObject({ ok: true, proven: 3, notes: [] });
    await api.call('PATCH', '/api/repos/web', { checks: [{ name: 'unit', command: ['true'] }] });
    const { commit } = merged.landing;
    expect(await audit()).toMatchObject({ ok: true, proven: 3, notes: [{ code: 'landed-without-checks', commit }] });
    await sql(`UPDATE landings SET verdict = 'green' WHERE entry = $1`, merged.landing.entry);
  });
});

it('notes a head that nobody has any more, and proves the rest', async () => {
  const { world } = yard;
  git(world.remote, 'update-ref', '-d', 'refs/signalbox/heads/ET-003');
  // A gate that has to be filled anew, as on another host.
  await sql(`UPDATE repos SET remote_key = remote_key || '/'`);
  const report = await audit();
  expect(report).toMatchObject({ ok: true, landings: 3, proven: 3 });
  expect(report.notes).toMatchObject([{ code: 'head-gone', commit: squashed.landing.commit }]);
});
