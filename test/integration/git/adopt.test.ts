import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
  ...{ remote: world.remote, base: 'main', auth: { kind: 'none', ref: null }, checkout: null },
  ...over,
});

async function landOne(workItem: string): Promise<PublishResult> {
  const landings = createLandings(world.host('one'), world.records);
  const head = world.head(workItem, { [`src/${workItem}`]: 'x\n' });
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
      facts: { headsPrefix: 'refs/signalbox/heads/', tipPrefix: 'refs/signalbox/tip/', local: true, checkedOut: false },
      ...{ adoptedAt: first, remoteKey: `path:${world.remote}` },
    });
    expect(world.tip()).toBe(first);
    const moved = world.personPush({ x: 'x\n' });
    const again = await adoptRemote(world.host('one'), request({ remote: `file://${world.remote}/` }));
    expect(again).toMatchObject({ adoptedAt: moved, remoteKey: adoption.remoteKey });
    expect(world.tip()).toBe(first);
    expect(git(world.remote, 'for-each-ref', '--format=%(refname)').split('\n')).toEqual([
      ...['refs/heads/main', 'refs/signalbox/tip/main'],
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
    // Edits in the way: the landing stands, the edits too.
    const landings = createLandings(world.host('one'), world.records);
    const head = world.head('ET-2', { 'README.md': 'changed\n' });
    const prepared = await landings.prepareLanding(world.request('ET-2', head), null);
    if (prepared.kind !== 'planned') throw new Error(prepared.kind);
    const second = await landings.publishLanding(prepared.plan, { kind: 'none', tree: prepared.plan.tree });
    expect(second).toMatchObject({ kind: 'landed', checkoutBehind: expect.stringContaining('local edits') as string });
    expect(git(checkout, 'rev-parse', 'main')).toBe(prepared.plan.commit);
    expect(readFileSync(path.join(checkout, 'README.md'), 'utf8')).toBe('unsaved\n');
  });

  it('is left as it is where nobody wants it to follow', async () => {
    write(checkout, { 'README.md': 'unsaved\n' });
    expect(await landOne('ET-1')).toMatchObject({ kind: 'landed' });
    expect(existsSync(path.join(checkout, 'src/ET-1'))).toBe(false);
    expect(readFileSync(path.join(checkout, 'README.md'), 'utf8')).toBe('unsaved\n');
  });
});
