/** Predicted conflicts on real git and real Postgres: pairs, flags that come and go, what is told, and the preview. */
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGitHost } from '../../../activities/git/host.js';
import type { GitHost } from '../../../activities/git/host.js';
import { scanConflicts } from '../../../activities/git/predict.js';
import { hostPaths } from '../../../activities/paths.js';
import { queueView } from '../../../domain/merge-queue/view.js';
import { insertEntry } from '../../../store/merge-entries.js';
import { execute } from '../../../store/db.js';
import { startApi, type TestApi } from '../../support/api.js';
import { runClient } from '../../support/client-program.js';
import { git } from '../../support/git.js';
import { LandingYard } from '../../support/landings.js';
import { request, World } from '../../unit/merge-queue/world.js';

let api: TestApi;
let yard: LandingYard;
let host: GitHost;
let url: string;
beforeAll(async () => {
  api = await startApi();
  yard = new LandingYard(api);
  host = createGitHost({ paths: hostPaths(path.join(yard.world.root, 'scan')), lookup: (name) => process.env[name] });
  await yard.register();
  url = await api.app.listen({ port: 0, host: '127.0.0.1' });
}, 60_000);
afterAll(async () => {
  yard.world.cleanUp();
  await api.close();
});

interface Conflicts {
  baseOid: string | null;
  flags: { task: string; since: string; against: { kind: string; name: string; oid: string; paths: string[] }[] }[];
  pairs: { a: { name: string }; b: { name: string }; paths: string[] }[];
  scan: Record<'scanned' | 'flagged' | 'cleared' | 'notified' | 'heads' | 'pairs' | 'asked', number> | null;
  fault: string | null;
}

const look = async (): Promise<Conflicts> => (await api.call('GET', '/api/repos/web/conflicts')).json as Conflicts;
const scan = async (): Promise<Conflicts> => {
  await scanConflicts(host, api.database.pool, 'web', 'main');
  return look();
};
/** A task whose head is on the remote. */
async function work(files: Record<string, string>, options: { from?: string } = {}): Promise<string> {
  const workItem = await yard.task();
  await move(workItem, files, options);
  return workItem;
}
async function move(workItem: string, files: Record<string, string>, options: { from?: string } = {}): Promise<string> {
  const head = yard.world.head(workItem, files, options);
  await execute(api.database.pool, 'UPDATE tasks SET head = $2 WHERE work_item = $1', [workItem, head]);
  return head;
}
async function cli(...args: string[]): Promise<string> {
  const ran = await runClient(args, { api: url, token: api.token, dataDir: api.dir });
  expect([ran.code, ran.err]).toEqual([0, '']);
  return ran.out;
}
const over = (workItem: string): Promise<number> =>
  execute(api.database.pool, `UPDATE tasks SET state = 'cancelled' WHERE work_item = $1`, [workItem]);
async function told(workItem: string): Promise<string[]> {
  const { json } = await api.call('GET', `/api/tasks/web/${workItem}/timeline`);
  const { items } = json as { items: { kind: string; data: { type: string } }[] };
  return items.filter(({ kind }) => kind === 'workspace').map(({ data }) => data.type);
}

test('base moves under live work: flagged and told once, cleared when a later head or base merges', async () => {
  const first = yard.world.base();
  expect(await look()).toMatchObject({ baseOid: null, flags: [], pairs: [], scan: null, fault: null });
  const one = await work({ 'README.md': 'one\nTWO\nthree\n' });
  const two = await work({ 'src/a.txt': 'a of two\n' });
  const idle = await yard.task();
  expect((await scan()).scan).toMatchObject({ scanned: 2, flagged: 0, cleared: 0, notified: 0, pairs: 3, asked: 3 });
  expect((await scan()).scan).toMatchObject({ scanned: 2, pairs: 3, asked: 0 });

  const moved = yard.world.personPush({ 'README.md': 'one\n2\nthree\n' });
  const flagged = await scan();
  expect(flagged.scan).toMatchObject({ scanned: 2, flagged: 1, cleared: 0, notified: 1, pairs: 3, asked: 2 });
  const against = [{ kind: 'base', name: 'main', oid: moved, paths: ['README.md'] }];
  expect(flagged).toMatchObject({ baseOid: moved, flags: [{ task: `web/${one}`, against }] });
  expect(flagged.pairs).toMatchObject([{ a: { name: 'main' }, b: { name: `web/${one}` }, paths: ['README.md'] }]);

  // Base moves on, the conflict stays: the same flag, and nothing more is said.
  yard.world.personPush({ 'other.txt': 'more\n' });
  const stays = await scan();
  expect(stays.scan).toMatchObject({ flagged: 0, cleared: 0, notified: 0 });
  expect(stays.flags.map(({ since }) => since)).toEqual(flagged.flags.map(({ since }) => since));
  expect(await told(one)).toEqual(['workspace.conflict']);

  // A head that merges clears it; base back at the start would have as well.
  await move(one, { 'README.md': 'one\nTWO\nthree\n', 'b.txt': 'x\n' }, { from: first });
  expect((await scan()).flags).toHaveLength(1);
  await move(one, { 'README.md': 'one\n2\nTHREE\n' }, { from: yard.world.base() });
  const cleared = await scan();
  expect(cleared).toMatchObject({ flags: [], pairs: [], scan: { flagged: 0, cleared: 1, notified: 0 } });
  expect(await told(one)).toEqual(['workspace.conflict', 'workspace.conflict-cleared']);
  expect([...(await told(two)), ...(await told(idle))]).toEqual([]);
  for (const workItem of [one, two, idle]) await over(workItem);
});

test('work that is ahead in the queue is in the way of what comes after it; what is over is in nobody’s', async () => {
  const [first, second, third] = [
    await work({ 'q.txt': '1\n' }),
    await work({ 'q.txt': '2\n' }),
    await work({ 'r.txt': '3\n' }),
  ];
  const pairs = await scan();
  expect(pairs).toMatchObject({ flags: [], scan: { scanned: 3 } });
  expect(pairs.pairs).toHaveLength(1);
  expect([pairs.pairs[0]?.a.name, pairs.pairs[0]?.b.name].sort()).toEqual([`web/${first}`, `web/${second}`]);
  const head = yard.world.remoteRef(`refs/signalbox/heads/${first}`);
  await insertEntry(api.database.pool, yard.world.request(first, head));
  const queued = await scan();
  expect(queued.flags).toMatchObject([{ task: `web/${second}`, against: [{ kind: 'entry', name: `web/${first}` }] }]);
  const shown = await cli('conflicts', 'web');
  expect(shown).toMatch(/^web main [0-9a-f]{10} {2}3 looked at \d+s ago, 1 flagged, 0 cleared, 1 told\n/);
  expect(shown).toMatch(new RegExp(`web/${second} +[0-9a-f]{10} +web/${first} +\\d+s +q\\.txt`));
  // A landing nearby is no news for what is flagged already.
  await over(second);
  expect((await look()).flags).toEqual([]);
  expect((await scan()).scan).toMatchObject({ scanned: 2, cleared: 0 });
  expect(await told(second)).toEqual(['workspace.conflict']);
  expect(await told(third)).toEqual([]);
  await execute(api.database.pool, `DELETE FROM merge_entries`);
  for (const workItem of [first, third]) await over(workItem);
});

test('stacked work is left out, in the queue as well, and what it was flagged for is forgotten', async () => {
  const from = yard.world.base();
  const one = await work({ 's.txt': '1\n' }, { from });
  const [two, three] = [await work({ 's.txt': '2\n' }, { from }), await work({ 's.txt': '3\n' }, { from })];
  yard.world.personPush({ 's.txt': 'base\n' });
  expect((await scan()).flags.map(({ task }) => task).sort()).toEqual(
    [one, two, three].map((name) => `web/${name}`).sort(),
  );
  const head = (workItem: string): string => yard.world.remoteRef(`refs/signalbox/heads/${workItem}`);
  await execute(api.database.pool, 'UPDATE tasks SET stack_base = $2 WHERE work_item = $1', [one, from]);
  await insertEntry(api.database.pool, yard.world.request(one, head(one)));
  await insertEntry(api.database.pool, { ...yard.world.request(two, head(two)), stackBase: from });
  expect(await scan()).toMatchObject({ flags: [{ task: `web/${three}` }], scan: { scanned: 1, heads: 1 } });
  await execute(api.database.pool, `DELETE FROM merge_entries`);
  for (const workItem of [one, two, three]) await over(workItem);
});

test('an entry that waits for the repair of another one says so to whoever asks', async () => {
  const [first, second] = [await yard.task(), await yard.task()];
  const world = new World();
  const names: Record<string, string> = { [request(1).task]: `web/${first}`, [request(2).task]: `web/${second}` };
  for (const n of [1, 2]) {
    world.enqueue(request(n), { conflict: ['a.txt'] });
    while (world.flights.length > 0) world.deliver(0);
  }
  // What the queue shows, with the names of tasks that are there.
  const view = Object.entries(names).reduce(
    (text, [model, real]) => text.replaceAll(model, real),
    JSON.stringify(queueView(world.state)),
  );
  await execute(api.database.pool, `INSERT INTO merge_queues (repo, base, view) VALUES ('web', 'main', $1)`, [view]);
  const waits = { kind: 'merge-queue', since: 'x', until: null, detail: 'x', code: null, artifact: null };
  const waitingOn = JSON.stringify({ ...waits, unblockedBy: [], links: {} });
  await execute(api.database.pool, 'UPDATE tasks SET waiting_on = $2 WHERE work_item = $1', [second, waitingOn]);
  const { json } = await api.call('GET', `/api/tasks/web/${second}/explain`);
  const detail = `queued, position 1 of 1 on main: waits for the repair of web/${first}, which touches a.txt as well`;
  const { chain } = json as { chain: unknown[] };
  expect(chain[1]).toMatchObject({
    kind: 'merge-queue',
    detail,
    unblockedBy: [`web/${first}`, 'merge-queue/web/main'],
  });
  const queue = (await api.call('GET', '/api/repos/web/merge-queue')).json;
  expect(queue).toMatchObject({ entries: [{ task: `web/${second}`, phase: 'queued', waitsFor: `web/${first}` }] });
  await execute(api.database.pool, 'DELETE FROM merge_queues');
  for (const workItem of [first, second]) await over(workItem);
});

test('attributes of base are honoured, renames followed, and no history in common is no conflict', async () => {
  const log = ['src/log.txt', 'a\n'] as const;
  yard.world.personPush({ [log[0]]: log[1], '.gitattributes': '*.txt merge=union\n' });
  const base = yard.world.base();
  const add = (line: string): Promise<string> => work({ [log[0]]: `a\n${line}\n` }, { from: base });
  const [one, two] = [await add('one'), await add('two')];
  const orphan = await yard.task();
  const { person } = yard.world;
  const empty = git(person, 'commit-tree', '-m', 'Alone', `${base}^{tree}`);
  git(person, 'push', '-q', 'origin', `${empty}:refs/signalbox/heads/${orphan}`);
  const found = await scan();
  expect(found.pairs).toEqual([]);
  expect(found.fault).toBeNull();
  expect(found.scan).toMatchObject({ heads: 3, pairs: 6, scanned: 2, flagged: 0 });
  expect((await scan()).scan).toMatchObject({ asked: 0 });
  // Without the attributes all is asked anew, and the two do not merge.
  git(person, 'rm', '-q', '.gitattributes');
  git(person, 'commit', '-q', '-m', 'No attributes');
  git(person, 'push', '-q', 'origin', 'main');
  const plain = await scan();
  expect(plain.scan).toMatchObject({ pairs: 6, asked: 6 });
  expect(plain.pairs.map(({ paths }) => paths)).toEqual([[log[0]]]);
  for (const workItem of [one, two, orphan]) await over(workItem);
});

test('a remote that is away leaves everything as it was, and says so', async () => {
  const one = await work({ 'README.md': 'mine\n' });
  yard.world.personPush({ 'README.md': 'theirs\n' });
  const before = await scan();
  expect(before.flags).toHaveLength(1);
  await execute(api.database.pool, `UPDATE repos SET remote = $1`, [`${yard.world.remote}.gone`]);
  await expect(scanConflicts(host, api.database.pool, 'web', 'main')).rejects.toThrow(/ls-remote|gone/);
  const after = await look();
  expect(after.fault).toMatch(/gone/);
  expect({ ...after, fault: null }).toEqual(before);
  const away = await api.call('GET', `/api/tasks/web/${one}/merge-preview`);
  expect([away.status, away.json]).toEqual([
    200,
    { available: false, reason: expect.stringMatching(/gone/) as string },
  ]);
  await execute(api.database.pool, `UPDATE repos SET remote = $1`, [yard.world.remote]);
  expect((await scan()).fault).toBeNull();
  await over(one);
});

test('the preview says what landing now would come to, and why where it cannot', async () => {
  const preview = async (workItem: string): Promise<unknown> => {
    const { status, json } = await api.call('GET', `/api/tasks/web/${workItem}/merge-preview`);
    expect(status).toBe(200);
    return json;
  };
  const none = await yard.task();
  expect(await preview(none)).toEqual({ available: false, reason: 'the task has no head on the remote yet' });
  const one = await work({ 'p.txt': 'mine\n' }, { from: yard.world.base() });
  const base = yard.world.base();
  const head = yard.world.remoteRef(`refs/signalbox/heads/${one}`);
  const tree = git(yard.world.person, 'rev-parse', `${head}^{tree}`);
  const clean = { available: true, base, head, kind: 'clean', paths: [], hunks: '', strategy: 'rebase-ff', tree };
  expect(await preview(one)).toEqual(clean);
  expect(await cli('task', 'preview', `web/${one}`)).toMatch(/^now +merges; [\s\S]*strategy +rebase-ff/);
  const moved = yard.world.personPush({ 'p.txt': 'theirs\n' });
  const conflict = (await preview(one)) as { hunks: string };
  expect(conflict).toMatchObject({
    available: true,
    base: moved,
    head,
    kind: 'conflict',
    paths: ['p.txt'],
    tree: null,
  });
  expect(conflict.hunks).toMatch(/theirs[\s\S]*mine/);
  await move(one, { 'p.txt': 'theirs\n' }, { from: base });
  expect(await preview(one)).toMatchObject({ kind: 'contained' });
  await move(one, { '.signalbox/pipeline.yaml': 'mine\n' }, { from: base });
  expect(await preview(one)).toEqual({
    available: false,
    reason: expect.stringMatching(/^a change of \.signalbox/) as string,
  });
  await execute(api.database.pool, 'UPDATE tasks SET head = $2 WHERE work_item = $1', [one, 'f'.repeat(40)]);
  expect(await preview(one)).toMatchObject({
    available: false,
    reason: expect.stringMatching(/no commit f/) as string,
  });
  expect((await api.call('GET', '/api/tasks/web/ET-999/merge-preview')).status).toBe(404);
});
