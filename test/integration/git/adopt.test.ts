import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pushHead } from '../../../activities/git/heads.js';
import { adoptRemote, type AdoptRequest } from '../../../activities/git/adopt.js';
import { createLandings } from '../../../activities/git/landing.js';
import type { PublishResult } from '../../../domain/merge-queue/types.js';
import { git, makeWorld, write, type World } from '../../support/git.js';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.cleanUp());

const request = (over: Partial<AdoptRequest> = {}): AdoptRequest => ({
  ...{
    remote: world.remote,
    base: 'main',
    auth: { kind: 'none', ref: null },
    checkout: null,
    instance: 'ours',
    claim: null,
  },
  ...over,
});

const landOne = (workItem: string, files: Record<string, string> = {}): Promise<PublishResult> =>
  landHead(workItem, world.head(workItem, { [`src/${workItem}`]: 'x\n', ...files }));

async function landHead(workItem: string, head: string): Promise<PublishResult> {
  const landings = createLandings(world.host('one'), world.records);
  const prepared = await landings.prepareLanding(world.request(workItem, head), null);
  if (prepared.kind !== 'planned') throw new Error(JSON.stringify(prepared));
  return landings.publishLanding(prepared.plan, { kind: 'none', tree: prepared.plan.tree });
}

describe('adopting a remote', () => {
  it('sets the tip ref once, leaves no probe, and knows other spellings', async () => {
    git(world.remote, 'update-ref', '-d', 'refs/signalbox/tip/main');
    const first = world.base();
    const adoption = await adoptRemote(world.host('one'), request());
    expect(adoption).toEqual({
      facts: {
        ...{ headsPrefix: 'refs/signalbox/heads/', tipPrefix: 'refs/signalbox/tip/', local: true, checkedOut: false },
        owner: world.remoteRef('refs/signalbox/owner'),
        claim: expect.any(String) as string,
      },
      ...{ adoptedAt: first, tookOver: false, remoteKey: `path:${world.remote}` },
    });
    expect(world.tip()).toBe(first);
    const moved = world.personPush({ x: 'x\n' });
    const again = await adoptRemote(world.host('one'), request({ remote: `file://${world.remote}/` }));
    expect(again).toMatchObject({ adoptedAt: moved, remoteKey: adoption.remoteKey });
    expect(world.tip()).toBe(first);
    expect(git(world.remote, 'for-each-ref', '--format=%(refname)').split('\n')).toEqual([
      ...['refs/heads/main', 'refs/signalbox/owner', 'refs/signalbox/tip/main'],
    ]);
    expect(readdirSync(path.join(world.root, 'host-one/gates')).filter((name) => name.endsWith('.git'))).toEqual([]);
  });

  it('names what is wrong with a remote that cannot be used', async () => {
    const host = world.host('one');
    const empty = path.join(world.root, 'empty.git');
    git(world.root, 'init', '-q', '--bare', empty);
    const wrong = async (over: Partial<AdoptRequest>): Promise<unknown> => adoptRemote(host, request(over));
    await expect(wrong({ remote: '/does/not/exist' })).rejects.toMatchObject({ code: 'unreachable-remote' });
    await expect(wrong({ remote: world.root })).rejects.toMatchObject({ code: 'unreachable-remote' });
    await expect(wrong({ remote: 'file:///etc' })).rejects.toMatchObject({ code: 'unreachable-remote' });
    await expect(wrong({ remote: empty })).rejects.toThrow(/empty/);
    await expect(wrong({ base: 'nothing' })).rejects.toMatchObject({ code: 'unreachable-remote', message: /nothing/ });
    await expect(wrong({ remote: 'ext::sh -c x' })).rejects.toMatchObject({ code: 'not-acceptable' });
    await expect(wrong({ remote: 'https://u:secret@h/x' })).rejects.toMatchObject({ code: 'not-acceptable' });
    await expect(wrong({ checkout: 'update' })).rejects.toMatchObject({ code: 'not-acceptable' });
    await expect(wrong({ remote: 'http://127.0.0.1:9/x' })).rejects.toMatchObject({ code: 'unreachable-remote' });
    await expect(
      wrong({ remote: 'http://127.0.0.1:9/x', auth: { kind: 'token', ref: 'env:NOT_SET' } }),
    ).rejects.toThrow(/NOT_SET/);
  });

  it('falls back where custom refs are refused, lands there, and names the rule where nothing goes', async () => {
    git(world.remote, 'update-ref', '-d', 'refs/signalbox/tip/main');
    hook('case "$r" in refs/signalbox/*) echo "deny: custom refs" >&2; exit 1;; esac');
    const { facts } = await adoptRemote(world.host('one'), request());
    expect(facts).toMatchObject({
      ...{ headsPrefix: 'refs/heads/signalbox/heads/', tipPrefix: 'refs/tags/signalbox/tip/' },
    });
    world.repo.facts = facts;
    expect(await landOne('ET-1')).toMatchObject({ kind: 'landed' });
    expect(world.tip()).toBe(world.base());
    hook('echo "deny: everything" >&2; exit 1');
    git(world.remote, 'update-ref', '-d', 'refs/tags/signalbox/tip/main');
    await expect(adoptRemote(world.host('one'), request())).rejects.toMatchObject({
      ...{ code: 'not-acceptable', message: expect.stringMatching(/hook declined/) as string },
    });
  });

  it('blocks, named, when the remote refuses the landing itself', async () => {
    hook('case "$r" in refs/heads/main) echo "deny: protected" >&2; exit 1;; esac');
    expect(await landOne('ET-1')).toMatchObject({
      ...{ kind: 'blocked', block: { code: 'push-refused', reason: expect.stringContaining('protected') as string } },
    });
    hook('exit 0');
    const head = world.head('ET-2', { 'src/ET-2': 'x\n' });
    git(world.remote, 'config', 'receive.maxInputSize', '1');
    expect(await landHead('ET-2', head)).toMatchObject({
      ...{ kind: 'blocked', block: { code: 'push-refused', reason: expect.stringContaining('maximum') as string } },
    });
  });

  it('refuses a remote that another instance lands on, until it is taken over, and then stops the other one', async () => {
    world.repo.facts = (await adoptRemote(world.host('one'), request())).facts;
    const theirs = 'theirs';
    await expect(adoptRemote(world.host('two'), request({ instance: theirs }))).rejects.toMatchObject({
      ...{
        code: 'conflict',
        message: expect.stringMatching(/another Signalbox instance .*ours.*--take-over/) as string,
      },
    });
    // Planned before it is taken over, pushed after.
    const landings = createLandings(world.host('one'), world.records);
    const head = world.head('ET-1', { x: 'x\n' });
    const prepared = await landings.prepareLanding(world.request('ET-1', head), null);
    if (prepared.kind !== 'planned') throw new Error(prepared.kind);
    const taken = await adoptRemote(world.host('two'), request({ instance: theirs, takeOver: true }));
    expect(taken).toMatchObject({ tookOver: true, adoptedAt: world.base() });
    const blocked = { kind: 'blocked', block: { code: 'remote-taken', clearedBy: null } };
    const verdict = { kind: 'none', tree: prepared.plan.tree } as const;
    expect(await landings.publishLanding(prepared.plan, verdict)).toMatchObject(blocked);
    expect(await landings.fenceLanding(world.repo.id, 'main', prepared.plan)).toMatchObject(blocked);
    expect(await landings.prepareLanding(world.request('ET-1', head), null)).toMatchObject(blocked);
    const before = world.remoteRef('refs/signalbox/heads/ET-1');
    const pushed = await pushHead(world.host('one'), world.repo, 'ET-1', prepared.plan.commit);
    expect(pushed).toMatchObject({ kind: 'refused', reason: expect.stringContaining('--take-over') as string });
    expect([world.remoteRef('refs/signalbox/heads/ET-1'), world.base()]).toEqual([before, taken.adoptedAt]);
    // Taken back: nothing lands until the new claim is stored; then the plan of before is fenced off, and a new one lands.
    const claim = world.repo.facts.claim ?? null;
    const back = await adoptRemote(world.host('one'), request({ claim, takeOver: true }));
    expect(back).toMatchObject({
      tookOver: true,
      facts: { owner: expect.not.stringMatching(world.repo.facts.owner ?? '') as string },
    });
    expect(await landings.prepareLanding(world.request('ET-1', head), null)).toMatchObject(blocked);
    // Whoever died before storing it finds the same again.
    expect(await adoptRemote(world.host('one'), request({ claim }))).toEqual(back);
    world.repo.facts = back.facts;
    expect(await landings.publishLanding(prepared.plan, verdict)).toMatchObject({ kind: 'stale' });
    expect(await landOne('ET-2')).toMatchObject({ kind: 'landed' });
  });

  it('has its name put back where somebody removed it, and says the same then', async () => {
    const { facts } = await adoptRemote(world.host('one'), request());
    git(world.remote, 'update-ref', '-d', 'refs/signalbox/owner');
    world.repo.facts = facts;
    expect(await landOne('ET-1')).toMatchObject({ kind: 'landed' });
    const { claim = null } = facts;
    expect((await adoptRemote(world.host('two'), request({ claim }))).facts).toEqual(facts);
  });

  function hook(body: string): void {
    const file = path.join(world.remote, 'hooks/pre-receive');
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `#!/bin/sh\nwhile read -r o n r; do\n${body}\ndone\nexit 0\n`);
    chmodSync(file, 0o755);
  }
});

describe('a remote that is checked out', () => {
  let checkout: string;
  beforeEach(() => {
    checkout = path.join(world.root, 'checkout');
    git(world.root, 'clone', '-q', world.remote, checkout);
    git(checkout, 'update-ref', 'refs/signalbox/tip/main', 'HEAD');
    git(world.person, 'remote', 'set-url', 'origin', checkout);
    world.repo.remote = checkout;
  });

  it('is recognised, and follows a landing where wanted, around unsaved edits', async () => {
    const adoption = await adoptRemote(world.host('one'), request({ remote: checkout, checkout: 'update' }));
    expect(adoption.facts).toMatchObject({ local: true, checkedOut: true });
    world.repo.config.checkout = 'update';
    write(checkout, { 'README.md': 'unsaved\n', 'untracked.txt': 'mine\n' });
    const first = await landOne('ET-1');
    expect(first).toMatchObject({ kind: 'landed' });
    expect(first).not.toHaveProperty('checkoutBehind');
    expect(git(checkout, 'status', '--porcelain').split('\n')).toEqual([' M README.md', '?? untracked.txt']);
    expect(readFileSync(path.join(checkout, 'src/ET-1'), 'utf8')).toBe('x\n');
  });

  const README = 'README.md';
  const STAYED = 'refs/signalbox/checkout/main';
  const refs = (): string => git(checkout, 'for-each-ref', '--format=%(refname)', STAYED);
  const behind = (result: PublishResult): string => {
    if (result.kind !== 'landed' || !result.checkoutBehind) throw new Error(JSON.stringify(result));
    expect(result.checkoutBehind.reason).toContain(`local edits in ${checkout} are in the way`);
    return result.checkoutBehind.mendedBy;
  };

  it('stays behind edits in the way, and the command it names brings up all that landed and keeps them', async () => {
    world.repo.config.checkout = 'update';
    write(checkout, { [README]: 'one\ntwo\nthree\nunsaved\n', 'src/b.txt': 'staged\n', 'untracked.txt': 'mine\n' });
    git(checkout, 'add', 'src/b.txt');
    behind(await landOne('ET-1', { [README]: 'landed\ntwo\nthree\n' }));
    expect(git(checkout, 'show', `main:${README}`)).toBe('landed\ntwo\nthree');
    expect(readFileSync(path.join(checkout, README), 'utf8')).toBe('one\ntwo\nthree\nunsaved\n');
    const mend = behind(await landOne('ET-2', { 'src/new.txt': 'new\n' }));
    execFileSync('sh', ['-c', mend], { stdio: 'pipe' });
    expect(git(checkout, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
    expect(git(checkout, 'status', '--porcelain').split('\n')).toEqual([
      ...[' M README.md', ' M src/b.txt', '?? untracked.txt'],
    ]);
    expect(readFileSync(path.join(checkout, README), 'utf8')).toBe('landed\ntwo\nthree\nunsaved\n');
    expect(refs()).toBe('');
    expect(await landOne('ET-3', { 'src/a.txt': 'more\n' })).not.toHaveProperty('checkoutBehind');
  });

  it('comes up by the next landing when the edits are out of the way', async () => {
    world.repo.config.checkout = 'update';
    write(checkout, { [README]: 'unsaved\n' });
    behind(await landOne('ET-1', { [README]: 'landed\n' }));
    expect(refs()).toBe(STAYED);
    git(checkout, 'checkout', '--', README);
    expect(await landOne('ET-2', { 'src/new.txt': 'new\n' })).not.toHaveProperty('checkoutBehind');
    expect([git(checkout, 'status', '--porcelain'), refs()]).toEqual(['', '']);
    expect(readFileSync(path.join(checkout, README), 'utf8')).toBe('landed\n');
  });

  it('follows also where the publisher died after its push', async () => {
    world.repo.config.checkout = 'update';
    write(checkout, { [README]: 'unsaved\n' });
    const landings = createLandings(world.host('one'), world.records);
    const head = world.head('ET-1', { [README]: 'landed\n' });
    const prepared = await landings.prepareLanding(world.request('ET-1', head), null);
    if (prepared.kind !== 'planned') throw new Error(prepared.kind);
    const { commit } = prepared.plan;
    git(checkout, 'fetch', '-q', path.join(world.root, 'host-one/gates/web.git'), commit);
    for (const ref of ['refs/heads/main', 'refs/signalbox/tip/main']) git(checkout, 'update-ref', ref, commit);
    expect(await landings.fenceLanding('web', 'main', prepared.plan)).toMatchObject({
      ...{ kind: 'landed', checkoutBehind: { mendedBy: expect.stringContaining('git checkout -m main') as string } },
    });
  });

  it('is left as it is where nobody wants it to follow', async () => {
    write(checkout, { 'README.md': 'unsaved\n' });
    expect(await landOne('ET-1')).toMatchObject({ kind: 'landed' });
    expect(existsSync(path.join(checkout, 'src/ET-1'))).toBe(false);
    expect(readFileSync(path.join(checkout, 'README.md'), 'utf8')).toBe('unsaved\n');
  });
});
