import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleBase, makeClone } from '../../../activities/git/clone.js';
import { exportTree, sourceTree } from '../../../activities/git/export.js';
import { importHead, pushHead, type ImportResult } from '../../../activities/git/heads.js';
import type { GitHost } from '../../../activities/git/host.js';
import { createLandings } from '../../../activities/git/landing.js';
import { createGitReader } from '../../../activities/git/reader.js';
import { commitAll, git, makeWorld, write, type World } from '../../support/git.js';

let world: World;
let host: GitHost;
let clone: string;
const BRANCH = 'signalbox/ET-1';

beforeEach(async () => {
  world = makeWorld();
  host = world.host('one');
  clone = path.join(world.root, 'clones', 'ET-1');
  await makeClone(host, world.repo, { dir: clone, branch: BRANCH, workItem: 'ET-1', head: null });
});
afterEach(() => world.cleanUp());

const imported = (branch = BRANCH): Promise<ImportResult> =>
  importHead(host, world.repo, { clone, branch, workItem: 'ET-1', previous: null });

function work(files: Record<string, string>, message = 'Work'): string {
  write(clone, files);
  return commitAll(clone, message);
}

describe('a clone', () => {
  it('stands on its branch, knows base, and neither names nor shares anything of the gate', () => {
    expect(git(clone, 'symbolic-ref', 'HEAD')).toBe(`refs/heads/${BRANCH}`);
    expect(git(clone, 'rev-parse', 'refs/remotes/origin/main')).toBe(world.base());
    expect(git(clone, 'status', '--porcelain')).toBe('');
    expect(() => git(clone, 'fetch', 'origin')).toThrow();
    expect(() => git(clone, 'push', 'origin', 'HEAD')).toThrow();
    expect(existsSync(path.join(clone, '.git/objects/info/alternates'))).toBe(false);
    for (const name of readdirSync(path.join(clone, '.git'), { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      const file = path.join(name.parentPath, name.name);
      expect(readFileSync(file, 'latin1').includes('host-one'), file).toBe(false);
    }
  });

  it('begins at a head that only the remote has, on any host, and is brought up by a bundle', async () => {
    const head = world.head('ET-1', { 'x.txt': 'x\n' });
    const dir = path.join(world.root, 'clones', 'other');
    const made = await makeClone(world.host('two'), world.repo, { dir, branch: BRANCH, workItem: 'ET-1', head });
    expect(git(dir, 'rev-parse', 'HEAD')).toBe(head);
    const file = path.join(world.root, 'run', 'base.bundle');
    expect(await bundleBase(host, world.repo, file, made.base)).toEqual({ base: made.base, ref: null });
    const base = world.personPush({ 'src/b.txt': 'bb\n' });
    const bundle = await bundleBase(host, world.repo, file, made.base);
    git(dir, 'fetch', '-q', file, `+${bundle.ref ?? ''}:refs/remotes/origin/main`);
    expect(git(dir, 'rev-parse', 'origin/main')).toBe(base);
  });
});

describe('a head', () => {
  it('is imported, pushed with a lease, read back and replaced', async () => {
    const head = work({ 'src/new.txt': 'new\n' });
    expect(await imported()).toEqual({ kind: 'imported', head, base: world.base(), commits: 1 });
    expect(await pushHead(host, world.repo, 'ET-1', head, null)).toEqual({ kind: 'pushed', head });
    expect(await pushHead(host, world.repo, 'ET-1', head, null)).toEqual({ kind: 'pushed', head });
    git(clone, 'reset', '-q', '--hard', 'origin/main');
    const other = work({ 'src/other.txt': 'other\n' });
    expect(await imported()).toMatchObject({ kind: 'imported', head: other });
    expect(await pushHead(host, world.repo, 'ET-1', other, null)).toEqual({ kind: 'lease-lost', found: head });
    expect(await pushHead(host, world.repo, 'ET-1', other, head)).toEqual({ kind: 'pushed', head: other });
  });

  it('is refused where a pipe stands in place of its ref', async () => {
    work({ 'a.txt': 'a\n' });
    const ref = path.join(clone, '.git', 'refs', 'heads', BRANCH);
    rmSync(ref);
    execFileSync('mkfifo', [ref]);
    expect(JSON.stringify(await imported())).toMatch(/refused.*is not a file/);
  });

  it('is refused where its refs lead round and round', async () => {
    work({ 'a.txt': 'a\n' });
    for (const name of ['a', 'b']) symlinkSync('.', path.join(clone, '.git', 'refs', name));
    expect(JSON.stringify(await imported())).toMatch(/refused.*a link among its .git.refs/);
  });

  it('is refused for a link that leaves the tree, also when a later commit takes it back', async () => {
    symlinkSync('/etc/passwd', path.join(clone, 'escape'));
    work({ 'a.txt': 'a\n' });
    rmSync(path.join(clone, 'escape'));
    work({ 'b.txt': 'b\n' });
    expect(JSON.stringify(await imported())).toMatch(/refused.*escape/);
  });

  it('is refused for what a merge itself brings, also when a later commit takes it back', async () => {
    git(clone, 'checkout', '-q', '-b', 'side');
    work({ 'src/side.txt': 'side\n' });
    git(clone, 'checkout', '-q', BRANCH);
    work({ 'src/ours.txt': 'ours\n' });
    git(clone, 'merge', '-q', '--no-ff', '--no-commit', 'side');
    work({ '.signalbox/pipeline.yaml': 'stages: []\n' }, 'Merge, and more');
    git(clone, 'rm', '-q', '-r', '.signalbox');
    git(clone, 'commit', '-q', '-m', 'Take it back');
    expect(JSON.stringify(await imported())).toMatch(/refused.*\.signalbox\/pipeline\.yaml/);
    git(clone, 'reset', '-q', '--hard', 'HEAD~2');
    git(clone, 'merge', '-q', '--no-ff', '-m', 'Merge', 'side');
    expect(await imported()).toMatchObject({ kind: 'imported', commits: 3 });
  });

  it('is refused without the branch, and from a broken or redirected clone', async () => {
    expect(await imported('nothing')).toMatchObject({ kind: 'refused' });
    rmSync(path.join(clone, '.git'), { recursive: true });
    symlinkSync(path.join(world.person, '.git'), path.join(clone, '.git'));
    expect(await imported()).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('not a directory') as string,
    });
    rmSync(path.join(clone, '.git'));
    expect(await imported()).toMatchObject({ kind: 'refused' });
  });

  it('ignores replaced objects, and leaves base alone whatever the clone did to it', async () => {
    const base = world.base();
    const head = work({ 'src/new.txt': 'new\n' });
    const evil = work({ 'src/evil.txt': 'evil\n' });
    git(clone, 'reset', '-q', '--hard', head);
    git(clone, 'replace', head, evil);
    git(clone, 'update-ref', 'refs/heads/main', evil);
    expect(await imported()).toMatchObject({ kind: 'imported', head });
    await pushHead(host, world.repo, 'ET-1', head);
    const plan = await createLandings(host, world.records).prepareLanding(world.request('ET-1', head), null);
    if (plan.kind !== 'planned') throw new Error(plan.kind);
    expect(git(`${world.root}/host-one/gates/web.git`, 'ls-tree', '--name-only', plan.plan.tree, 'src/evil.txt')).toBe(
      '',
    );
    expect(world.base()).toBe(base);
  });

  it('runs nothing that the clone configures', async () => {
    const head = work({ 'src/new.txt': 'new\n', '.gitattributes': '* filter=evil diff=evil merge=evil\n' });
    const canary = path.join(world.root, 'canary');
    const script = path.join(world.root, 'evil.sh');
    writeFileSync(script, `#!/bin/sh\necho "$0 $*" >> ${canary}\ncat\n`);
    chmodSync(script, 0o755);
    for (const key of [
      ...['core.fsmonitor', 'core.sshCommand', 'core.pager', 'core.editor', 'core.gitProxy', 'diff.external'],
      ...['core.alternateRefsCommand', 'uploadpack.packObjectsHook', 'filter.evil.clean', 'filter.evil.smudge'],
      ...['filter.evil.process', 'merge.evil.driver', 'diff.evil.textconv', 'gpg.program', 'credential.helper'],
      ...['remote.origin.uploadpack', 'remote.origin.receivepack', 'remote.evil.uploadpack', 'pack.packObjectsHook'],
    ]) {
      git(clone, 'config', key, script);
    }
    mkdirSync(path.join(clone, '.git/hooks'), { recursive: true });
    for (const hook of ['pre-auto-gc', 'reference-transaction', 'post-checkout', 'post-index-change', 'update']) {
      writeFileSync(path.join(clone, '.git/hooks', hook), readFileSync(script), { mode: 0o755 });
    }
    // Objects that are said to be elsewhere must not be fetched by the program named for that.
    git(clone, 'config', 'remote.evil.url', world.remote);
    git(clone, 'config', 'remote.evil.promisor', 'true');
    git(clone, 'config', 'extensions.partialClone', 'evil');
    git(clone, 'config', 'core.repositoryFormatVersion', '1');
    rmSync(canary, { force: true });
    expect(await imported()).toMatchObject({ kind: 'imported', head });
    expect(existsSync(canary)).toBe(false);
    const blob = git(clone, '-c', 'core.fsmonitor=false', 'rev-parse', 'HEAD:src/new.txt');
    rmSync(path.join(clone, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    rmSync(path.join(world.root, 'host-one'), { recursive: true });
    const again = world.host('one');
    expect(
      await importHead(again, world.repo, { clone, branch: BRANCH, workItem: 'ET-1', previous: null }),
    ).toMatchObject({
      kind: 'refused',
    });
    expect(existsSync(canary) ? readFileSync(canary, 'utf8') : '').toBe('');
  });
});

describe('an export', () => {
  it('has the committed bytes whatever the attributes say, and no .git', async () => {
    const files = {
      '.gitattributes':
        '*.txt text eol=crlf\n*.k ident export-subst\n*.u working-tree-encoding=UTF-16LE\nno.x export-ignore\n',
      'sub/.gitattributes': '* text eol=crlf\n',
      'a.txt': 'one\ntwo\n',
      'sub/b': 'one\r\ntwo\n',
      'x.k': '$Id$ $Format:%H$\n',
      't.u': 'text',
      'no.x': 'kept\n',
    };
    const head = world.head('ET-1', files);
    const dir = path.join(world.root, 'export');
    const source = { kind: 'head', workItem: 'ET-1', commit: head } as const;
    const out = await exportTree(host, world.repo, source, dir);
    expect(out).toEqual(await sourceTree(world.host('two'), world.repo, source));
    // What a person's git did on the way in is in the blob: that is what must come out.
    for (const name of Object.keys(files)) {
      const blob = path.join(world.root, 'blob');
      git(world.remote, '-c', `alias.out=!git cat-file blob ${head}:${name} > ${blob}`, 'out');
      expect(readFileSync(path.join(dir, name)).equals(readFileSync(blob)), name).toBe(true);
    }
    expect(existsSync(path.join(dir, '.git'))).toBe(false);
    expect(readdirSync(host.privateDir).filter((name) => name.startsWith('export-'))).toEqual([]);
  });

  it('recomputes a plan on a host that never saw it, with history where asked', async () => {
    const head = world.head('ET-1', { 'src/new.txt': 'new\n' });
    world.personPush({ 'src/b.txt': 'bb\n' });
    const prepared = await createLandings(host, world.records).prepareLanding(world.request('ET-1', head), null);
    if (prepared.kind !== 'planned') throw new Error(prepared.kind);
    const { plan } = prepared;
    const dir = path.join(world.root, 'export');
    expect(await exportTree(world.host('two'), world.repo, { kind: 'plan', plan }, dir, true)).toEqual({
      ...{ commit: plan.commit, tree: plan.tree },
    });
    expect(git(dir, 'rev-parse', 'HEAD')).toBe(plan.commit);
    expect(git(dir, 'status', '--porcelain')).toBe('');
    expect(git(dir, 'log', '--format=%s').split('\n')).toHaveLength(3);
  });
});

describe('the reader', () => {
  it('reads blobs and diffs, and follows no link', async () => {
    const reader = createGitReader(world.host('two'));
    git(world.person, 'checkout', '-q', '--detach', 'main');
    symlinkSync('/etc/passwd', path.join(world.person, 'doc-link'));
    const head = world.head('ET-1', { 'docs/brd/ET-1.md': 'Doc\n' });
    expect((await reader.artifact(world.repo, head, 'docs/brd/ET-1.md'))?.toString()).toBe('Doc\n');
    expect(await reader.artifact(world.repo, head, 'doc-link')).toBeNull();
    expect(await reader.artifact(world.repo, head, 'docs')).toBeNull();
    expect(await reader.artifact(world.repo, head, '../../x')).toBeNull();
    await expect(reader.artifact(world.repo, '--output=x', 'a')).rejects.toMatchObject({ code: 'not-found' });
    await expect(reader.artifact(world.repo, 'f'.repeat(40), 'a')).rejects.toMatchObject({ code: 'not-found' });
    expect((await reader.baseFile(world.repo, 'README.md'))?.toString()).toBe('one\ntwo\nthree\n');
    expect(await reader.diff(world.repo, head, world.base())).toContain('+Doc');
  });
});
