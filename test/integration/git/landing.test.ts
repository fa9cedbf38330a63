import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configHash } from '../../../domain/checks/config-hash.js';
import { createLandings, type Landings } from '../../../activities/git/landing.js';
import { git, makeWorld, type World, write } from '../../support/git.js';
import type { CommandCheck } from '../../../domain/checks/types.js';
import type { LandingPlan, PublishResult } from '../../../domain/merge-queue/types.js';

let world: World;
let one: Landings;
let two: Landings;

beforeEach(() => {
  world = makeWorld();
  one = createLandings(world.host('one'), world.records);
  two = createLandings(world.host('two'), world.records);
});
afterEach(() => world.cleanUp());

async function planned(on: Landings, workItem: string, head: string): Promise<LandingPlan> {
  const result = await on.prepareLanding(world.request(workItem, head), null);
  if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
  return result.plan;
}

async function land(on: Landings, plan: LandingPlan): Promise<PublishResult> {
  const result = await on.publishLanding(plan, { kind: 'none', tree: plan.tree });
  if (result.kind === 'landed') world.records.landings.push(result.landing);
  return result;
}

describe('a landing', () => {
  it('rebases a branch, keeps the author, commits as us, and proves by trailers', async () => {
    const head = world.head('ET-1', { 'src/new.txt': 'new\n' }, { message: 'Add new\n\nCo-authored-by: A <a@b.c>' });
    const person = world.personPush({ 'src/b.txt': 'bb\n' });
    const plan = await planned(one, 'ET-1', head);
    expect((await land(one, plan)).kind).toBe('landed');
    expect(world.base()).toBe(plan.commit);
    expect(world.tip()).toBe(plan.commit);
    expect(git(world.remote, 'rev-parse', 'main^')).toBe(person);
    expect(git(world.remote, 'log', '-1', '--format=%an|%cn|%ce|%ct|%T', 'main')).toBe(
      `Dev|Signalbox|signalbox@localhost|${plan.timestamp}|${plan.tree}`,
    );
    const trailers = git(world.remote, 'log', '-1', '--format=%(trailers:only,unfold)', 'main').split('\n');
    expect(trailers[0]).toBe('Co-authored-by: A <a@b.c>');
    expect(trailers.slice(-4)).toEqual([
      'Signalbox-Task: web/ET-1',
      `Signalbox-Entry: ${plan.entry.entry}`,
      `Signalbox-Plan: ${plan.plan}`,
      `Signalbox-Base: ${person}`,
    ]);
  });

  it('gives the same ids on another host, and nothing new when it is published twice', async () => {
    const head = world.head('ET-1', { 'src/new.txt': 'new\n' });
    const plan = await planned(one, 'ET-1', head);
    expect(await planned(two, 'ET-1', head)).toEqual(plan);
    expect((await land(one, plan)).kind).toBe('landed');
    expect(await two.publishLanding(plan, { kind: 'none', tree: plan.tree })).toMatchObject({
      kind: 'landed',
      landing: { commit: plan.commit, entry: plan.entry.entry },
    });
    expect(git(world.remote, 'rev-list', '--count', 'main')).toBe('2');
  });

  it('merges where the range holds merges', async () => {
    const side = world.head('ET-8', { 'side.txt': 's\n' });
    world.personPush({ 'src/b.txt': 'bb\n' });
    git(world.person, 'checkout', '-q', '--detach', side);
    git(world.person, 'merge', '-q', '--no-ff', '-m', 'Merge base', 'main');
    const head = git(world.person, 'rev-parse', 'HEAD');
    git(world.person, 'push', '-q', '-f', 'origin', 'HEAD:refs/signalbox/heads/ET-8');
    git(world.person, 'checkout', '-q', 'main');
    world.personPush({ 'src/a.txt': 'aa\n' });
    const plan = await planned(one, 'ET-8', head);
    expect(plan.strategy).toBe('merge');
    expect((await land(one, plan)).kind).toBe('landed');
    expect(git(world.remote, 'log', '-1', '--format=%P|%s', 'main')).toBe(
      `${plan.baseOid} ${head}|Merge web/ET-8: Title of ET-8`,
    );
  });

  it('proves a squash whose title reads like one of our trailers, and whose base has attributes', async () => {
    world.repo.config.merge.strategy = 'squash';
    world.personPush({ '.gitattributes': '*.md merge=union\n' });
    const head = world.head('ET-8', { 'one.txt': '1\n' });
    const request = { ...world.request('ET-8', head), title: `Signalbox-Base: ${'a'.repeat(40)}` };
    const prepared = await one.prepareLanding(request, null);
    if (prepared.kind !== 'planned') throw new Error(prepared.kind);
    expect((await land(one, prepared.plan)).kind).toBe('landed');
    expect(git(world.remote, 'log', '-1', '--format=%s', 'main')).toBe(`web/ET-8: ${request.title}`);
    world.records.landings = [];
    expect(await two.prepareLanding(request, null)).toMatchObject({ kind: 'landed' });
  });

  it('squashes a range with merges to one commit, keeps the author, and names the others', async () => {
    world.repo.config.merge.strategy = 'squash';
    const first = world.head('ET-9', { 'one.txt': '1\n' }, { message: 'Add one\n\nAt length.' });
    world.personPush({ 'src/b.txt': 'bb\n' });
    git(world.person, 'checkout', '-q', '--detach', first);
    git(world.person, 'merge', '-q', '--no-ff', '-m', 'Merge base', 'main');
    write(world.person, { 'two.txt': '2\n' });
    git(world.person, 'add', '-A');
    git(world.person, 'commit', '-q', '--author=Bob <bob@example.com>', '-m', 'Add two');
    const head = git(world.person, 'rev-parse', 'HEAD');
    git(world.person, 'push', '-q', '-f', 'origin', 'HEAD:refs/signalbox/heads/ET-9');
    const plan = await planned(one, 'ET-9', head);
    expect(plan.strategy).toBe('squash');
    expect((await land(one, plan)).kind).toBe('landed');
    const [parents, author, committer, ...message] = git(
      world.remote,
      'log',
      '-1',
      '--format=%P%n%an%n%cn%n%B',
      'main',
    ).split('\n');
    expect([parents, author, committer]).toEqual([plan.baseOid, 'Bob', 'Signalbox']);
    expect(message.slice(0, 6)).toEqual([
      'Title of ET-9',
      '',
      '* Add one',
      '* Add two',
      '',
      expect.stringContaining('Co-authored-by: '),
    ]);
    expect(git(world.remote, 'show', 'main:one.txt') + git(world.remote, 'show', 'main:two.txt')).toBe('12');
    // The proof is in the commit, so a host that never saw the plan finds the landing, and lands it no second time.
    expect(await two.prepareLanding(world.request('ET-9', head), null)).toMatchObject({ kind: 'landed' });
  });

  it('landed then reverted, then redelivered: lands once, and stays reverted', async () => {
    const head = world.head('ET-1', { 'src/new.txt': 'new\n' });
    const plan = await planned(one, 'ET-1', head);
    await land(one, plan);
    git(world.person, 'fetch', '-q', 'origin');
    git(world.person, 'reset', '-q', '--hard', 'origin/main');
    git(world.person, 'revert', '--no-edit', 'HEAD');
    git(world.person, 'push', '-q', 'origin', 'main');
    const reverted = world.base();
    expect(await one.publishLanding(plan, { kind: 'none', tree: plan.tree })).toMatchObject({ kind: 'landed' });
    // Also when the store was lost, and under a new try: the history of base is asked.
    world.records.landings = [];
    expect(await two.prepareLanding(world.request('ET-1', head), null)).toMatchObject({ kind: 'landed' });
    expect(await two.prepareLanding(world.request('ET-1', head, 1, 2), null)).toMatchObject({
      kind: 'landed',
      landing: { commit: plan.commit, entry: plan.entry.entry },
    });
    expect(await two.prepareLanding(world.request('ET-1', head, 2), null)).toMatchObject({ kind: 'planned' });
    expect(world.base()).toBe(reverted);
  });

  it('names the paths and the lines of a conflict', async () => {
    const common = world.base();
    const head = world.head('ET-1', { 'README.md': 'one\nhere\nthree\n' });
    const base = world.personPush({ 'README.md': 'one\nthere\nthree\n' });
    const result = await one.prepareLanding(world.request('ET-1', head), null);
    const origin = { head, common, sides: [{ path: 'README.md' }] };
    expect(result).toMatchObject({ kind: 'conflict', baseOid: base, conflict: { paths: ['README.md'], origin } });
    expect(JSON.stringify(result)).toContain('<<<<<<<');
    const [side] = (result.kind === 'conflict' && result.conflict.origin?.sides) || [];
    expect(side?.base).toMatch(/^@@.*@@\n one\n-two\n\+there\n three$/);
    expect(side?.head).toMatch(/^@@.*@@\n one\n-two\n\+here\n three$/);
  });

  it('says what each side did to many paths, in little room', async () => {
    const files = (text: string): Record<string, string> =>
      Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`n${n}.txt`, `${text} ${'x'.repeat(5000)}\n`]));
    const head = world.head('ET-1', { ...files('mine'), 'src/a.txt': 'mine\n' });
    world.personPush(files('theirs'));
    git(world.person, 'rm', '-q', 'src/a.txt');
    git(world.person, 'commit', '-q', '-m', 'Gone');
    git(world.person, 'push', '-q', 'origin', 'main');
    const result = await one.prepareLanding(world.request('ET-1', head), null);
    const { paths = [], origin } = result.kind === 'conflict' ? result.conflict : {};
    expect(paths).toHaveLength(13);
    expect(origin?.sides.map(({ path }) => path)).toEqual(paths.slice(0, 8));
    expect(JSON.stringify(origin).length).toBeLessThan(26_000);
    expect(origin?.sides[0]?.base).toMatch(/^new file mode 100644\n@@[\s\S]*theirs x+\n…$/);
  });

  it('settles a head that base contains', async () => {
    const head = world.personPush({ 'src/b.txt': 'bb\n' });
    git(world.person, 'push', '-q', 'origin', 'main:refs/signalbox/heads/ET-1');
    expect(await one.prepareLanding(world.request('ET-1', head), null)).toMatchObject({ kind: 'contained' });
  });

  it('uses the merge attributes of base', async () => {
    world.personPush({ '.gitattributes': '# c\nLOG merge=union diff=x\n*.y merge=evil\n', LOG: 'a\n' });
    const head = world.head('ET-1', { LOG: 'a\nmine\n' });
    world.personPush({ LOG: 'a\ntheirs\n' });
    const plan = await planned(one, 'ET-1', head);
    expect(plan.attributes).not.toBeNull();
    expect((await land(two, plan)).kind).toBe('landed');
    expect(git(world.remote, 'show', 'main:LOG').split('\n').sort()).toEqual(['a', 'mine', 'theirs']);
    world.records.landings = [];
    expect(await one.prepareLanding(world.request('ET-1', head), null)).toMatchObject({ kind: 'landed' });
  });
});

describe('the fence', () => {
  it('rejects a zombie publisher as a whole, and lets the same plan land with the new lease', async () => {
    const head = world.head('ET-1', { 'src/new.txt': 'new\n' });
    const plan = await planned(one, 'ET-1', head);
    const fenced = await two.fenceLanding('web', 'main', plan);
    if (fenced.kind !== 'not-landed') throw new Error(fenced.kind);
    const before = world.base();
    expect(await land(one, plan)).toMatchObject({ kind: 'stale' });
    // A push that was under way when the fence was taken: straight from git, with the old leases.
    const gate = `${world.root}/host-one/gates/web.git`;
    expect(() =>
      git(
        gate,
        ...['push', '--atomic', `--force-with-lease=refs/heads/main:${plan.baseOid}`],
        ...[`--force-with-lease=refs/signalbox/tip/main:${plan.lastTip}`, world.remote],
        ...[`${plan.commit}:refs/heads/main`, `${plan.commit}:refs/signalbox/tip/main`],
      ),
    ).toThrow();
    expect(world.base()).toBe(before);
    expect(world.tip()).toBe(fenced.tip);
    const again = { ...plan, lastTip: fenced.tip };
    expect((await land(two, again)).kind).toBe('landed');
    expect(world.base()).toBe(plan.commit);
    expect(git(world.remote, 'log', '-1', '--format=%P', world.tip())).toBe(`${plan.commit} ${fenced.tip}`);
    // The next landing still remembers the fence and everything before it.
    const next = await planned(one, 'ET-2', world.head('ET-2', { 'src/2.txt': '2\n' }));
    expect((await land(one, next)).kind).toBe('landed');
    git(world.remote, 'merge-base', '--is-ancestor', fenced.tip, world.tip());
  });

  it('says landed for a plan that landed, and can be repeated', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    await land(one, plan);
    expect(await two.fenceLanding('web', 'main', plan)).toMatchObject({ kind: 'landed' });
    expect(await two.fenceLanding('web', 'main', plan)).toMatchObject({ kind: 'landed' });
    expect(await two.fenceLanding('web', 'main', null)).toMatchObject({ kind: 'not-landed' });
    expect(world.base()).toBe(plan.commit);
  });

  it('lets one of two publishers land when both hold the same plan', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    await planned(two, 'ET-1', plan.entry.head);
    const results = await Promise.all([land(one, plan), land(two, plan)]);
    expect(results.map((r) => r.kind)).toEqual(['landed', 'landed']);
    expect(git(world.remote, 'rev-list', '--count', 'main')).toBe('2');
  });

  it('someone else advanced base: stale, planned again, in the place it had', async () => {
    const head = world.head('ET-1', { 'src/new.txt': 'new\n' });
    const plan = await planned(one, 'ET-1', head);
    const person = world.personPush({ 'src/b.txt': 'bb\n' });
    expect(await land(one, plan)).toMatchObject({ kind: 'stale' });
    expect(world.base()).toBe(person);
    const fenced = await one.fenceLanding('web', 'main', plan);
    expect(fenced.kind).toBe('not-landed');
    expect((await land(one, await planned(one, 'ET-1', head))).kind).toBe('landed');
    expect(git(world.remote, 'rev-parse', 'main^')).toBe(person);
  });
});

describe('base rewound or forced', () => {
  it('blocks after the push, before the record, and is never landed again, also behind later fences', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    await one.publishLanding(plan, { kind: 'none', tree: plan.tree });
    world.setBase(plan.baseOid);
    const rewound = { kind: 'blocked', block: { code: 'base-rewound', baseOid: plan.baseOid } };
    expect(await two.publishLanding(plan, { kind: 'none', tree: plan.tree })).toMatchObject(rewound);
    expect(await two.fenceLanding('web', 'main', null)).toMatchObject({ kind: 'not-landed' });
    expect(await one.fenceLanding('web', 'main', plan)).toMatchObject(rewound);
    expect(
      await one.publishLanding({ ...plan, lastTip: world.tip() }, { kind: 'none', tree: plan.tree }),
    ).toMatchObject(rewound);
    expect(world.base()).toBe(plan.baseOid);
  });

  it('blocks the next prepare until the tip is accepted; then others land, and it stays off', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    await land(one, plan);
    world.setBase(plan.baseOid);
    const head = world.head('ET-2', { 'src/2.txt': '2\n' }, { from: plan.baseOid });
    expect(await one.prepareLanding(world.request('ET-2', head), null)).toMatchObject({
      kind: 'blocked',
      block: { code: 'base-rewound', clearedBy: `signalbox resume web --accept-tip ${plan.baseOid}` },
    });
    const accepted = await one.prepareLanding(world.request('ET-2', head), plan.baseOid);
    if (accepted.kind !== 'planned') throw new Error(JSON.stringify(accepted));
    expect((await land(one, accepted.plan)).kind).toBe('landed');
    expect(await one.fenceLanding('web', 'main', plan)).toMatchObject({ block: { code: 'base-rewound' } });
    expect(git(world.remote, 'rev-list', 'main')).not.toContain(plan.commit);
    const third = await planned(two, 'ET-3', world.head('ET-3', { 'src/3.txt': '3\n' }, { from: plan.baseOid }));
    expect((await land(two, third)).kind).toBe('landed');
  });

  it('before the push is stale, and step 0 blocks it', async () => {
    const first = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    await land(one, first);
    const plan = await planned(one, 'ET-2', world.head('ET-2', { 'src/2.txt': '2\n' }));
    world.setBase(first.baseOid);
    expect(await land(one, plan)).toMatchObject({ kind: 'stale' });
    expect(await one.fenceLanding('web', 'main', plan)).toMatchObject({ kind: 'not-landed' });
    expect(await one.prepareLanding(world.request('ET-2', plan.entry.head, 1, 2), null)).toMatchObject({
      block: { code: 'base-rewound' },
    });
  });

  it('names a base and a tip that are gone', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    git(world.remote, 'update-ref', '-d', 'refs/signalbox/tip/main');
    expect(await land(one, plan)).toMatchObject({ block: { code: 'tip-missing' } });
    expect(await one.fenceLanding('web', 'main', plan)).toMatchObject({ block: { code: 'tip-missing' } });
    const request = world.request('ET-1', plan.entry.head);
    expect(await one.prepareLanding(request, null)).toMatchObject({ block: { code: 'tip-missing' } });
    expect(await one.prepareLanding(request, plan.baseOid)).toMatchObject({ kind: 'planned' });
    git(world.remote, 'update-ref', '-d', 'refs/heads/main');
    expect(await one.prepareLanding(request, null)).toMatchObject({ block: { code: 'base-missing' } });
    expect(await land(one, plan)).toMatchObject({ block: { code: 'base-missing' } });
  });
});

describe('a publish', () => {
  it('finishes what the remote did by half: base new, tip old', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    git(`${world.root}/host-one/gates/web.git`, 'push', '-q', world.remote, `${plan.commit}:refs/heads/main`);
    expect((await land(two, plan)).kind).toBe('landed');
    expect(world.tip()).toBe(plan.commit);
  });

  it('refuses a tree that no verdict is of', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    const tree = git(world.remote, 'rev-parse', 'main^{tree}');
    await expect(one.publishLanding(plan, { kind: 'green', tree })).rejects.toMatchObject({ code: 'internal' });
    const forged = { ...plan, tree };
    expect(await one.publishLanding(forged, { kind: 'green', tree })).toMatchObject({ kind: 'stale' });
    expect(world.base()).toBe(plan.baseOid);
  });

  it('lands only the document that was approved', async () => {
    const head = world.head('ET-1', { 'docs/plan.md': 'as agreed\n' });
    const plan = await planned(one, 'ET-1', head);
    world.records.needed = [{ stage: 'approval', path: 'docs/plan.md' }];
    expect(await land(one, plan)).toEqual({ kind: 'unwanted', reason: 'no approval of approval is recorded' });
    const other = { stage: 'approval', verdict: 'approved', blob: 'b'.repeat(40) } as const;
    world.records.decisions = [
      other,
      { ...other, verdict: 'rejected', blob: git(world.person, 'rev-parse', `${head}:docs/plan.md`) },
    ];
    const reason = 'approval was approved for another docs/plan.md than the one that would land';
    expect(await land(one, plan)).toEqual({ kind: 'unwanted', reason });
    expect(world.base()).toBe(plan.baseOid);
    world.records.decisions.push({ ...other, blob: git(world.person, 'rev-parse', `${head}:docs/plan.md`) });
    expect((await land(one, plan)).kind).toBe('landed');
  });

  it('lands on a green verdict of the checks as they are then, and on no other', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    const unit: CommandCheck = {
      ...{ name: 'unit', kind: 'command', command: ['true'], timeout: 1000, env: {}, needsHistory: false },
    };
    world.repo.config.checks = [unit];
    const publish = () => one.publishLanding(plan, { kind: 'green', tree: plan.tree });
    world.records.verdicts.set(configHash([unit], null, plan.commit), 'green');
    world.repo.config.checks = [unit, { ...unit, name: 'lint' }];
    expect(await publish(), 'one was added since').toMatchObject({ kind: 'stale' });
    world.records.verdicts.set(configHash(world.repo.config.checks, null, plan.commit), 'red');
    expect(await publish()).toMatchObject({ kind: 'stale' });
    expect(world.base()).toBe(plan.baseOid);
    world.repo.config.checks = [unit];
    expect(await publish()).toMatchObject({ kind: 'landed' });
  });

  it('asks the gates and the task directly before the push', async () => {
    const plan = await planned(one, 'ET-1', world.head('ET-1', { 'src/new.txt': 'new\n' }));
    const gate = {
      id: 1,
      repo: 'web',
      kind: 'pause',
      scope: 'landing',
      base: null,
      reason: 'r',
      by: 'p',
      since: '',
    } as const;
    world.records.gates = [gate];
    expect(await land(one, plan)).toMatchObject({ kind: 'gated', reason: 'pause by p: r' });
    world.records.gates = [
      { ...gate, base: 'other' },
      { ...gate, scope: 'admission' },
      { ...gate, kind: 'drain' },
    ];
    world.records.unwantedReason = 'cancelled';
    expect(await land(one, plan)).toMatchObject({ kind: 'unwanted' });
    expect(world.base()).toBe(plan.baseOid);
    world.records.unwantedReason = null;
    world.records.gates = [{ ...gate, kind: 'freeze' }];
    expect(await land(one, plan)).toMatchObject({ kind: 'gated', reason: 'freeze by p: r' });
    world.records.fixes.add(plan.entry.entry);
    expect((await land(one, plan)).kind).toBe('landed');
  });
});
