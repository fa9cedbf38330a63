/** Remotes that want to know who comes: a landing with each kind of `auth`, and secrets that show up nowhere. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adoptRemote, type AdoptRequest } from '../../../activities/git/adopt.js';
import type { GitHost } from '../../../activities/git/host.js';
import { createLandings } from '../../../activities/git/landing.js';
import { pushHead } from '../../../activities/git/heads.js';
import type { SignalboxError } from '../../../domain/errors.js';
import type { RepoAuth } from '../../../domain/repos.js';
import { git, makeWorld, type World } from '../../support/git.js';
import { serveGit, type GitServer } from '../../support/git-server.js';

const SECRET = 'sekret-4711-token';
let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.cleanUp());

const request = (over: Partial<AdoptRequest>): AdoptRequest => ({
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

/** Why it is not adopted. */
async function refusal(host: GitHost, over: Partial<AdoptRequest>): Promise<SignalboxError> {
  const refused = await adoptRemote(host, request(over)).then(
    () => null,
    (err: unknown) => err as SignalboxError,
  );
  if (refused === null) throw new Error('it was adopted');
  expect(refused.code).toBe('unreachable-remote');
  return refused;
}

/** Adopted, a head pushed, landed: all through `remote` with `auth`. */
async function landThrough(host: GitHost, remote: string, auth: RepoAuth): Promise<void> {
  const adoption = await adoptRemote(host, request({ remote, auth }));
  expect(adoption.facts).toMatchObject({ local: false, checkedOut: false });
  Object.assign(world.repo, { remote, remoteKey: adoption.remoteKey, facts: adoption.facts });
  world.repo.config.auth = auth;
  const landings = createLandings(host, world.records);
  const head = world.head('ET-1', { x: 'x\n' });
  const prepared = await landings.prepareLanding(world.request('ET-1', head), null);
  if (prepared.kind !== 'planned') throw new Error(JSON.stringify(prepared));
  // The objects are in the gate now: the same head under another name.
  expect(await pushHead(host, world.repo, 'ET-2', head)).toEqual({ kind: 'pushed', head });
  expect(world.remoteRef('refs/signalbox/heads/ET-2')).toBe(head);
  const landed = await landings.publishLanding(prepared.plan, { kind: 'none', tree: prepared.plan.tree });
  expect(landed).toMatchObject({ kind: 'landed' });
  expect(world.base()).toBe(prepared.plan.commit);
}

/** A PATH whose programs of these names are scripts; `$REAL` is the PATH without them. */
function fakePath(programs: Record<string, string>): string {
  const bin = path.join(world.root, 'bin');
  mkdirSync(bin, { recursive: true });
  const real = process.env['PATH'] ?? '';
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(path.join(bin, name), `#!/bin/sh\nREAL='${real}'\n${body}\n`, { mode: 0o755 });
  }
  return `${bin}:${real}`;
}

/** A PATH whose git writes down its arguments first. */
const spyPath = (): string => fakePath({ git: `echo "$@" >> '${world.root}/argv'\nPATH="$REAL" exec git "$@"` });

/** In no argument of git, and in no file of the host. */
function expectNowhere(secret: string, host: string): void {
  const argv = readFileSync(path.join(world.root, 'argv'), 'utf8');
  expect(argv).toContain('push');
  expect(argv).not.toContain(secret);
  for (const entry of readdirSync(path.join(world.root, `host-${host}`), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) expect(readFileSync(path.join(entry.parentPath, entry.name), 'latin1')).not.toContain(secret);
  }
}

describe('over HTTP', () => {
  let server: GitServer;
  beforeEach(async () => {
    git(world.remote, 'config', 'http.receivepack', 'true');
    server = await serveGit(world.root, 'x-access-token', SECRET);
  });
  afterEach(() => server.close());
  const remote = (): string => server.url('remote.git');

  it('lands with a token that shows up in no argument, setting, file or message', async () => {
    const host = world.host('one', { env: { PATH: spyPath(), WEB_TOKEN: SECRET } });
    await landThrough(host, remote(), { kind: 'token', ref: 'env:WEB_TOKEN' });
    expect(server.asked.join('\n')).not.toContain(SECRET);
    expectNowhere(SECRET, 'one');
  });

  it('takes a token from a file', async () => {
    const file = path.join(world.root, 'token');
    writeFileSync(file, `${SECRET}\n`);
    await adoptRemote(world.host('one'), request({ remote: remote(), auth: { kind: 'token', ref: `file:${file}` } }));
  });

  it('lands with what a credential helper gives, which is asked each time and kept nowhere', async () => {
    const helper = path.join(world.root, 'helper');
    const answer = `[ "$1" = get ] && printf 'username=x-access-token\\npassword=%s\\n' ${SECRET}; exit 0`;
    writeFileSync(helper, `#!/bin/sh\necho "$@" >> '${world.root}/helped'\n${answer}\n`, { mode: 0o755 });
    const host = world.host('one', { env: { PATH: spyPath() } });
    await landThrough(host, remote(), { kind: 'helper', ref: `file:${helper}` });
    expect(readFileSync(path.join(world.root, 'helped'), 'utf8')).toMatch(/^get$/m);
    expectNowhere(SECRET, 'one');
    const named = world.host('two', { env: { WEB_HELPER: helper } });
    await adoptRemote(named, request({ remote: remote(), auth: { kind: 'helper', ref: 'env:WEB_HELPER' } }));
  });

  it('names the field where the credentials are missing, wrong or unreadable, and never the secret', async () => {
    const host = world.host('one', { env: { WEB_TOKEN: 'wrong-secret-0815' } });
    const wrong = await refusal(host, { remote: remote(), auth: { kind: 'token', ref: 'env:WEB_TOKEN' } });
    expect(wrong.message).toMatch(/^auth\.ref: the remote does not take this token \(.*Authentication failed/);
    expect(wrong.data).toMatchObject({ faults: [{ field: 'auth.ref' }] });
    expect(JSON.stringify([wrong.message, wrong.data])).not.toContain('wrong-secret-0815');
    const none = await refusal(host, { remote: remote() });
    expect(none.message).toMatch(/^auth\.kind: the remote asks for credentials/);
    const unset = await refusal(host, { remote: remote(), auth: { kind: 'token', ref: 'env:NOT_SET' } });
    expect(unset.message).toBe('auth.ref: the variable NOT_SET is not set on this host');
    const absent = await refusal(host, { remote: remote(), auth: { kind: 'token', ref: 'file:/does/not/exist' } });
    expect(absent.message).toBe('auth.ref: /does/not/exist cannot be read');
  });
});

/**
 * There is no ssh server here: a program `ssh` in its place insists on what a batch login with one key needs, and then
 * does what a server does, in an environment of its own.
 */
describe('over SSH', () => {
  const KEY = 'the private key of web';
  let key: string;
  beforeEach(() => {
    // A space in the path: git gives GIT_SSH_COMMAND to a shell.
    key = path.join(world.root, "it's a key");
    writeFileSync(key, `${KEY}\n`, { mode: 0o600 });
  });

  const sshPath = (): string =>
    fakePath({
      ssh: [
        `printf '%s\\n' "$*" >> '${world.root}/argv'`,
        'options=" "; key=""',
        'while [ $# -gt 2 ]; do',
        '  case "$1" in -i) key="$2"; shift 2;; -o|-p) options="$options$1$2 "; shift 2;; *) shift;; esac',
        'done',
        `[ "$1" = 'git@example.test' ] || { echo 'Host key verification failed.' >&2; exit 255; }`,
        'for wanted in -oBatchMode=yes -oIdentitiesOnly=yes -p2222; do',
        '  case "$options" in *" $wanted "*) ;; *) echo "ssh without $wanted:$options" >&2; exit 255;; esac',
        'done',
        `grep -qx '${KEY}' "$key" || { echo 'git@example.test: Permission denied (publickey).' >&2; exit 255; }`,
        'exec env -i PATH="$REAL" HOME=/ sh -c "$2"',
      ].join('\n'),
    });

  it('lands with a key from a file, and with one whose path is in a variable', async () => {
    const host = world.host('one', { env: { PATH: sshPath(), WEB_KEY: key } });
    const remote = `ssh://git@example.test:2222${world.remote}`;
    await landThrough(host, remote, { kind: 'ssh-key', ref: `file:${key}` });
    await adoptRemote(host, request({ remote, auth: { kind: 'ssh-key', ref: 'env:WEB_KEY' } }));
    const argv = readFileSync(path.join(world.root, 'argv'), 'utf8');
    expect(argv).toContain('git-receive-pack');
    expect(argv).not.toContain(KEY);
  });

  it('names what to change for a wrong key, no key, and a host that is not known', async () => {
    const other = path.join(world.root, 'other');
    writeFileSync(other, 'another key\n', { mode: 0o600 });
    const host = world.host('one', { env: { PATH: sshPath() } });
    const remote = `ssh://git@example.test:2222${world.remote}`;
    const wrong = await refusal(host, { remote, auth: { kind: 'ssh-key', ref: `file:${other}` } });
    expect(wrong.message).toMatch(/^auth\.ref: the remote does not take this ssh-key \(.*Permission denied/);
    // With a key that cannot be read ssh would go on with the keys of whoever runs the worker.
    const absent = await refusal(host, { remote, auth: { kind: 'ssh-key', ref: 'file:/does/not/exist' } });
    expect(absent.message).toBe('auth.ref: /does/not/exist cannot be read');
    const auth = { kind: 'ssh-key', ref: `file:${key}` } as const;
    const stranger = await refusal(host, { remote: `ssh://git@other.test:2222${world.remote}`, auth });
    expect(stranger.message).toMatch(/^remote: the host key is not the one known here.*ssh-keyscan/);
    expect(stranger.data).toMatchObject({ faults: [{ field: 'remote' }] });
  });
});
