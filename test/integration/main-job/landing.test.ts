/** What can stand between a finished change and the base branch, seen from outside. One `signalbox up` for all of it. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiError, at } from '../../../cli/client.js';
import { demoGit } from '../../../cli/demo/git.js';
import type { LandingRow, TaskRow } from '../../../cli/demo/proofs.js';
import type { ScriptStep } from '../../../cli/demo/scripted-agent.js';
import { fakeGithub } from '../../support/fakes/github.js';
import { ForgeModel } from '../../support/fakes/model.js';
import { Instance } from '../../support/instance.js';
import { runProcesses } from '../../support/invariants.js';

interface Queue {
  state: string;
  reason: string | null;
  entries: { entry: string; task: string; phase: string }[];
  landed: LandingRow[];
}
interface Explanation {
  chain: { kind: string; detail: string; unblockedBy: string[] }[];
  stale: boolean;
}

/** Green unless a file `broken` is there. */
const CHECKS = [{ name: 'unit', kind: 'command', command: ['test', '!', '-e', 'broken'], timeout: '1m' }];
const WORK = { name: 'work', kind: 'agent', agent: 'worker' };
const MERGE = { name: 'merge', kind: 'merge', onRed: { goto: 'work', max: 3 }, onConflict: { goto: 'work', max: 3 } };
const LAND = { stages: [WORK, MERGE] };

const FORGE_TOKEN = 'forge-secret-5a1d';

let instance: Instance;
beforeAll(async () => {
  const backoff = { SIGNALBOX_BACKOFF_BASE: '300ms', SIGNALBOX_BACKOFF_MAX: '600ms' };
  instance = await Instance.create({ ...backoff, FORGE_TOKEN });
  await instance.start();
}, 90_000);
afterAll(() => instance.remove());

const addRepo = (name: string, more: object = {}): Promise<{ remote: string; first: string }> =>
  instance.addSampleRepository(LAND, name, { checks: CHECKS, ...more });
const change = (file: string): ScriptStep[] => [{ write: file, text: 'by {task}\n' }, { commit: `Write ${file}` }];
const submit = (repo: string, file: string, more: object = {}): Promise<TaskRow> =>
  instance.submit(`Write ${file}`, { work: change(file) }, { repo, ...more });
const done = (task: string): Promise<TaskRow> => instance.untilTask(task, (t) => t.state === 'done');
const queueOf = (repo: string): Promise<Queue> => instance.client.get<Queue>(at('repos', repo, 'merge-queue'));
const untilQueue = (repo: string, test: (queue: Queue) => boolean): Promise<Queue> =>
  instance.until(`queue of ${repo}`, () => queueOf(repo), test, 25_000);
const explain = (task: string): Promise<Explanation> => instance.client.get(at('tasks', ...task.split('/'), 'explain'));
const runsOf = async (task: string): Promise<{ id: string; status: string }[]> =>
  (await instance.client.get<{ items: { id: string; status: string }[] }>(at('tasks', ...task.split('/'), 'runs')))
    .items;
const tipOf = async (remote: string): Promise<string> => (await demoGit(remote, ['rev-parse', 'main'])).trim();

/** A person commits on main, by a clone of their own. */
async function personPushes(remote: string, ...command: string[]): Promise<string> {
  const clone = path.join(path.dirname(remote), `person-${Date.now()}`);
  await demoGit(path.dirname(remote), ['clone', '-q', remote, clone]);
  if (command[0] === 'rm') await demoGit(clone, ['rm', '-q', ...command.slice(1)]);
  else await writeFile(path.join(clone, command[1] ?? ''), 'by hand\n');
  await demoGit(clone, ['add', '-A']);
  await demoGit(clone, ['commit', '-q', '-m', command.join(' ')]);
  await demoGit(clone, ['push', '-q', 'origin', 'main']);
  return (await demoGit(clone, ['rev-parse', 'HEAD'])).trim();
}

test('frozen and paused, nothing lands and both are named; an entry is withdrawn and put in again', async () => {
  const { remote, first } = await addRepo('gated');
  expect((await instance.cli('freeze', 'gated', '--reason', 'release day')).out).toMatch(/^gated main {2}frozen/);
  expect((await instance.cli('pause', 'gated', '--reason', 'lunch')).out).toMatch(/lunch/);
  const { task } = await submit('gated', 'gated.txt', { priority: 'high' });
  const waits = await instance.untilTask(task, (t) => t.waitingOn?.kind === 'merge-queue');
  const queue = await untilQueue('gated', (q) => q.entries.length === 1);
  expect(queue).toMatchObject({ repo: 'gated', base: 'main', state: 'frozen', reason: 'release day', landed: [] });
  expect(queue.entries[0]).toMatchObject({
    ...{ task, workspace: null, position: 1, phase: 'queued', head: waits['head'], priority: 'high', etaSeconds: null },
    ...{ entry: expect.any(String) as string, since: expect.any(String) as string },
  });
  const { chain, stale } = await explain(task);
  expect(stale).toBe(false);
  expect(chain[0]?.kind).toBe('merge-queue');
  const gates = chain.filter((link) => link.kind === 'freeze');
  expect(gates.map((g) => [/^\w+/.exec(g.detail)?.[0], g.unblockedBy[0]])).toEqual([
    ['freeze', 'signalbox unfreeze gated'],
    ['pause', 'signalbox resume gated'],
  ]);
  expect((await instance.cli('queue', 'gated')).out).toMatch(/^gated main {2}frozen: release day\n/);

  const entry = queue.entries[0]?.entry ?? '';
  const route = at('repos', 'gated', 'merge-queue', 'entries', entry);
  expect(await instance.client.send('DELETE', route)).toMatchObject({ entry, outcome: { kind: 'withdrawn' } });
  const out = await instance.untilTask(task, (t) => t.waitingOn?.kind === 'answer');
  expect(out.waitingOn?.detail).toMatch(/taken out of the merge queue: withdrawn by up/);
  expect((await queueOf('gated')).entries).toEqual([]);
  await instance.client.send('POST', at('tasks', ...task.split('/'), 'retry'));
  const again = await untilQueue('gated', (q) => q.entries.length === 1);
  expect(again.entries[0]?.entry, 'a new try is a new entry').not.toBe(entry);

  expect((await instance.cli('resume', 'gated')).out).toMatch(/^gated main {2}frozen/);
  expect(await tipOf(remote)).toBe(first);
  expect((await instance.cli('unfreeze', 'gated')).out).toMatch(/^gated main {2}running/);
  const landed = await done(task);
  expect(await tipOf(remote)).toBe(landed.landed?.commit);
  const history = await instance.client.get<{ items: object[] }>(at('repos', 'gated', 'freezes'));
  expect(history.items).toMatchObject([
    { kind: 'pause', reason: 'lunch', clearedBy: 'up' },
    { kind: 'freeze', reason: 'release day', by: 'up', clearedBy: 'up' },
  ]);
  const over = {
    kind: 'end',
    detail: expect.stringContaining(landed.landed?.commit ?? '-') as string,
    unblockedBy: [],
  };
  expect((await explain(task)).chain).toMatchObject([over]);
  expect(await instance.cli('audit', 'gated')).toMatchObject({ code: 0, err: '' });
});

test('a stacked task begins with the work of another, and lands after it what is its own', async () => {
  const { remote, first } = await addRepo('stack', { merge: { strategy: 'squash' } });
  await instance.cli('pause', 'stack', '--reason', 'hold the parent');
  const parent = (await submit('stack', 'tower.txt')).task;
  const after = (await submit('stack', 'later.txt', { dependsOn: [parent] })).task;
  const script = { work: [{ append: 'tower.txt', text: 'storey\n' }, { commit: 'Add a storey' }] };
  const dependsOn = [{ task: parent, stack: true }];
  const child = (await instance.submit('Add a storey', script, { repo: 'stack', dependsOn })).task;
  const waits = await instance.untilTask(child, (t) => t.waitingOn?.kind === 'dependency' && t.stage === 'merge');
  expect(waits).toMatchObject({ state: 'waiting', dependsOn: [{ task: parent, onFailure: 'wait', stack: true }] });
  expect(waits['stackBase']).toBe((await instance.task(parent))['head']);
  expect(await instance.task(after)).toMatchObject({ state: 'queued', stage: 'created', head: null });
  expect((await explain(after)).chain.map((link) => link.detail)).toMatchObject([
    expect.stringMatching(`${parent} \\(merge, running\\) comes first`),
    expect.stringMatching(`${parent}: in the merge queue of main`),
    expect.stringContaining('pause of stack'),
  ]);
  const { dependencies } = await instance.client.get<{ dependencies: string[][] }>(at('queue'));
  expect(dependencies).toEqual([
    [after, parent],
    [child, parent],
  ]);
  await instance.cli('resume', 'stack');
  const [below, above] = [await done(parent), await done(child), await done(after)];
  expect(await demoGit(remote, ['show', 'main:tower.txt'])).toBe(`by ${parent}\nstorey`);
  expect((await demoGit(remote, ['rev-list', '--count', `${first}..main`])).trim()).toBe('3');
  const changed = ['diff', '--stat', `${above.landed?.commit}^`, String(above.landed?.commit)];
  expect(await demoGit(remote, changed)).toMatch(/tower.txt \| 1 \+\n/);
  await demoGit(remote, ['merge-base', '--is-ancestor', String(below.landed?.commit), `${above.landed?.commit}^`]);
  expect(await instance.cli('audit', 'stack')).toMatchObject({ code: 0, err: '' });
});

test('a checked-out remote is kept in step around a person’s unsaved edits', async () => {
  const { remote } = await addRepo('spare');
  const desk = path.join(instance.dir, 'desk');
  await demoGit(instance.dir, ['clone', '-q', remote, desk]);
  await writeFile(path.join(desk, 'README.md'), 'my unsaved words\n');
  await writeFile(path.join(desk, 'notes.txt'), 'untracked\n');
  await instance.client.send('POST', at('repos'), {
    ...{ id: 'desk', remote: desk, base: 'main', checkout: 'update', checks: CHECKS, pipeline: LAND },
  });
  await done((await submit('desk', 'beside.txt')).task);
  expect(await readFile(path.join(desk, 'beside.txt'), 'utf8')).toBe('by desk/ET-001\n');
  const inTheWay = await done((await submit('desk', 'README.md')).task);
  expect(await tipOf(desk)).toBe(inTheWay.landed?.commit);
  expect(await readFile(path.join(desk, 'README.md'), 'utf8')).toBe('my unsaved words\n');
  expect(await readFile(path.join(desk, 'notes.txt'), 'utf8')).toBe('untracked\n');
  // The person hears of it wherever they look, with the command that mends it.
  const behind = { reason: expect.stringContaining('README.md') as string, mendedBy: expect.any(String) as string };
  expect(inTheWay.landed?.checkoutBehind).toMatchObject(behind);
  const queue = await instance.client.get<{ landed: object[] }>(at('repos', 'desk', 'merge-queue'));
  expect(queue.landed).toMatchObject([{ checkoutBehind: behind }, { checkoutBehind: null }]);
  const mend = inTheWay.landed?.checkoutBehind?.mendedBy ?? '';
  expect((await instance.cli('queue', 'desk')).out).toContain(`to mend it: ${mend}`);
  expect((await instance.cli('task', 'show', inTheWay.task)).out).toContain(mend);
  const log = await readFile(path.join(instance.dataDir, 'logs', 'worker.log'), 'utf8');
  expect(log).toContain(`the checkout did not follow the landing of ${inTheWay.task}`);
  await execa('sh', ['-c', mend]);
  expect(await readFile(path.join(desk, 'README.md'), 'utf8')).toContain('my unsaved words');
});

test('a base that a person rewound blocks until its tip is accepted; what was removed stays removed', async () => {
  const { remote, first } = await addRepo('rewound');
  const removed = await done((await submit('rewound', 'one.txt')).task);
  await demoGit(remote, ['update-ref', 'refs/heads/main', first]);
  const { task } = await submit('rewound', 'two.txt');
  const blocked = await untilQueue('rewound', (q) => q.state === 'blocked');
  expect(blocked.reason).toContain(removed.landed?.commit.slice(0, 7));
  const { chain } = await explain(task);
  const words = chain.flatMap((link) => link.unblockedBy).join('\n');
  expect(words).toContain('signalbox resume rewound --accept-tip');
  const landed = String(removed.landed?.commit);
  const wrong = await instance.cli('resume', 'rewound', '--accept-tip', landed);
  expect(wrong).toMatchObject({ code: 1 });
  expect(wrong.err).toContain(first);
  expect((await instance.cli('resume', 'rewound', '--accept-tip', first)).err).toBe('');
  const after = await done(task);
  expect(after.landed?.base).toBe(first);
  expect(await demoGit(remote, ['log', '--format=%s', 'main'])).not.toContain('Write one.txt');
  const audit = await instance.cli('audit', 'rewound');
  expect([audit.code, audit.out]).toEqual([0, expect.stringMatching(/1 of 1 landings proven[^]*accepted-rewind +1 /)]);
  expect(await runsOf(task)).toHaveLength(1);
});

test('a red base blocks, sends nobody to repair, and clears by itself when it is green', async () => {
  const { remote } = await addRepo('red');
  await personPushes(remote, 'add', 'broken');
  const { task } = await submit('red', 'fine.txt');
  const blocked = await untilQueue('red', (q) => q.state === 'blocked');
  expect(blocked).toMatchObject({ block: { code: 'base-red', clearedBy: null } });
  expect((await explain(task)).chain.map((l) => l.detail).join('\n')).toContain('blocked: ');
  const testing = { name: 'testing', kind: 'check', checks: null, onFail: { goto: 'work', max: 1 } };
  const staged = await submit('red', 'staged.txt', { pipeline: { stages: [WORK, testing, MERGE] } });
  const shared = await instance.untilTask(
    staged.task,
    (t) => t.waitingOn?.code === 'base-red' && t.waitingOn.until !== null,
  );
  expect(shared).toMatchObject({ stage: 'testing', counters: { faults: 0, followUps: 0 } });
  const fix = await personPushes(remote, 'rm', 'broken');
  const landed = await done(task);
  expect(landed.counters).toEqual({ faults: 0, transient: 0, followUps: 0, humanWaits: 0 });
  expect(landed.landed?.base).toBe(fix);
  expect(await runsOf(task)).toHaveLength(1);
  await instance.cli('task', 'cancel', staged.task);
});

test('a pull request shows the task, the forge gives a verdict, and the landing is shown as merged', async () => {
  const { remote } = await addRepo('forged');
  const model = new ForgeModel(remote, 'acme/forged');
  model.users.set(FORGE_TOKEN, { login: 'bot', level: 'write' });
  const fake = await fakeGithub(model);
  const config = {
    auth: { kind: 'token', ref: 'env:FORGE_TOKEN' },
    forge: { kind: 'github', api: fake.api, project: 'acme/forged' },
    ...{ merge: { strategy: 'pr' }, checks: [...CHECKS, { name: 'ci', kind: 'external', context: 'build' }] },
  };
  model.protection = { branch: 'main', rule: { name: 'main-is-mine', pushers: [] } };
  const refused = instance.client.send('PATCH', at('repos', 'forged'), config);
  await expect(refused).rejects.toThrow(/the token may not push main .*main-is-mine/);
  model.protection = null;
  await instance.client.send('PATCH', at('repos', 'forged'), config);

  fake.down = 503; // an outage holds nothing up
  const { task } = await submit('forged', 'forged.txt');
  const inQueue = await instance.untilTask(task, (t) => t.waitingOn?.kind === 'merge-queue');
  const behind = await instance.untilTask(task, (t) => t['pullRequest'] !== null);
  expect(behind['pullRequest']).toMatchObject({ number: null, behind: expect.stringContaining('503') as string });
  fake.down = null;
  const shown = await instance.untilTask(task, (t) => (t['pullRequest'] as { number: unknown } | null)?.number === 1);
  expect(shown['pullRequest']).toMatchObject({
    state: 'open',
    url: 'https://github.test/acme/forged/pull/1',
    behind: null,
  });
  const head = String(inQueue['head']);
  expect(model.pulls).toMatchObject([
    { head: 'signalbox/ET-001', base: 'main', sha: head, title: 'ET-001: Write forged.txt' },
  ]);
  expect(model.statusesOf(head)[0]).toMatchObject({ context: 'signalbox', state: 'pending' });

  const checkRefs = async (): Promise<string[]> =>
    (await demoGit(remote, ['for-each-ref', '--format=%(objectname)', 'refs/heads/signalbox/check']))
      .split('\n')
      .filter(Boolean);
  const [checked = ''] = await instance.until('a check ref', checkRefs, (refs) => refs.length === 1);
  const waits = await instance.until(
    'why it waits',
    () => explain(task),
    (e) => JSON.stringify(e).includes('build'),
  );
  expect(waits.chain.map((link) => link.detail).join()).toContain(checked.slice(0, 12));
  model.setStatus(checked, 'build', 'success', { checkRun: true });
  const landed = await done(task);
  expect(landed.landed?.commit, 'what was checked is what landed').toBe(checked);
  expect(await tipOf(remote)).toBe(checked);
  const merged = await instance.untilTask(
    task,
    (t) => (t['pullRequest'] as { state: unknown } | null)?.state === 'merged',
  );
  expect(merged['pullRequest']).toMatchObject({ number: 1, behind: null });
  expect(model.pulls).toMatchObject([{ state: 'merged', sha: checked }]);
  for (const sha of [head, checked]) {
    const ours = model.statusesOf(sha).find((s) => s.context === 'signalbox');
    expect(ours).toMatchObject({ state: 'success', description: `landed on main as ${checked.slice(0, 12)}` });
  }
  expect(await instance.until('no check ref', checkRefs, (refs) => refs.length === 0)).toEqual([]);
  expect(fake.misunderstood).toEqual([]);
  expect(await instance.cli('audit', 'forged')).toMatchObject({ code: 0 });
  await fake.close();
});

test('agents outlive a stop of everything, are found again, and land once', async () => {
  const { remote, first } = await addRepo('kept');
  const starts = path.join(instance.dir, 'starts');
  const gate = path.join(instance.dir, 'go-on');
  const begun: ScriptStep = { append: starts, text: '{run}\n' };
  const script = { work: [begun, { waitFor: gate }, ...change('kept.txt')] };
  const { task } = await instance.submit('Kept', script, { repo: 'kept' });
  await instance.untilTask(task, (t) => t.agentRunning !== null);
  await instance.until(
    'the agent',
    () => readFile(starts, 'utf8'),
    (text) => text !== '',
  );
  const [run] = await runsOf(task);
  const began = Date.now();
  expect(await instance.stop()).toBe(0);
  expect(Date.now() - began).toBeLessThan(10_000);
  await instance.start();
  expect(await runsOf(task)).toMatchObject([{ id: run?.id, status: 'running' }]);
  await writeFile(gate, '');
  const landed = await done(task);
  expect(await runsOf(task)).toMatchObject([{ id: run?.id, status: 'passed' }]);
  expect((await readFile(starts, 'utf8')).trim()).toBe(run?.id);
  expect((await demoGit(remote, ['rev-list', `${first}..main`])).trim()).toBe(landed.landed?.commit);
  expect(landed.counters).toEqual({ faults: 0, transient: 0, followUps: 0, humanWaits: 0 });
  await expect(instance.client.get(at('tasks', 'kept', 'ET-404'))).rejects.toThrow(ApiError);
});

test('a stop with --stop-agents ends the agents as well', async () => {
  await instance.stop();
  await instance.start('--stop-agents');
  await addRepo('ended');
  const begun = path.join(instance.dir, 'begun');
  const { task } = await instance.submit(
    'Ended',
    { work: [{ append: begun, text: 'x' }, { waitFor: 'never' }] },
    { repo: 'ended' },
  );
  await instance.until(
    'the agent',
    () => readFile(begun, 'utf8'),
    (text) => text !== '',
  );
  expect(await runProcesses(instance.dataDir)).not.toEqual([]);
  expect((await instance.task(task)).agentRunning).toBe('worker');
  const began = Date.now();
  expect(await instance.stop()).toBe(0);
  expect(await runProcesses(instance.dataDir)).toEqual([]);
  expect(Date.now() - began).toBeLessThan(15_000);
});
