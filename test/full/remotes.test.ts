/** The whole way of a landing, on each kind of remote: taken on, head pushed, planned, pushed, fenced, resolved. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adoptRemote } from '../../activities/git/adopt.js';
import { pushHead } from '../../activities/git/heads.js';
import type { GitHost } from '../../activities/git/host.js';
import { createLandings, type Landings } from '../../activities/git/landing.js';
import type { LandingPlan } from '../../domain/merge-queue/types.js';
import type { RepoAuth } from '../../domain/repos.js';
import { git, makeWorld, type World } from '../support/git.js';
import { serveGit } from '../support/git-server.js';

interface Kind {
  remote: string;
  auth: RepoAuth;
  env: Record<string, string>;
  /** Where its refs are, on this machine. */
  place: string;
  facts: { local: boolean; checkedOut: boolean };
  close(): Promise<void>;
}

const NONE: RepoAuth = { kind: 'none', ref: null };
const nothing = (): Promise<void> => Promise.resolve();

/** What an ssh server does with the command that git asks for, in an environment of its own. */
function sshPath(root: string): string {
  const bin = path.join(root, 'ssh-bin');
  mkdirSync(bin);
  const real = process.env['PATH'] ?? '';
  const body = `#!/bin/sh\nfor last in "$@"; do :; done\nexec env -i PATH='${real}' HOME=/ sh -c "$last"\n`;
  writeFileSync(path.join(bin, 'ssh'), body, { mode: 0o755 });
  return `${bin}:${real}`;
}

const KINDS: Record<string, (world: World) => Promise<Kind>> = {
  'a bare repository by path': (world) =>
    Promise.resolve({
      ...{ remote: world.remote, auth: NONE, env: {}, place: world.remote, close: nothing },
      facts: { local: true, checkedOut: false },
    }),
  'a repository by path that is checked out': (world) => {
    const place = path.join(world.root, 'checkout');
    git(world.root, 'clone', '-q', world.remote, place);
    return Promise.resolve({
      ...{ remote: place, auth: NONE, env: {}, place, close: nothing },
      facts: { local: true, checkedOut: true },
    });
  },
  'smart HTTP with a token': async (world) => {
    git(world.remote, 'config', 'http.receivepack', 'true');
    const server = await serveGit(world.root, 'x-access-token', 'a token');
    return {
      ...{ remote: server.url('remote.git'), auth: { kind: 'token', ref: 'env:TOKEN' }, env: { TOKEN: 'a token' } },
      ...{ place: world.remote, facts: { local: false, checkedOut: false }, close: () => server.close() },
    };
  },
  SSH: (world) => {
    const key = path.join(world.root, 'key');
    writeFileSync(key, 'a key\n', { mode: 0o600 });
    return Promise.resolve({
      ...{ remote: `ssh://git@example.test${world.remote}`, auth: { kind: 'ssh-key', ref: `file:${key}` } },
      ...{ env: { PATH: sshPath(world.root) }, place: world.remote, close: nothing },
      facts: { local: false, checkedOut: false },
    });
  },
};

describe.each(Object.keys(KINDS))('%s', (name) => {
  let world: World;
  let kind: Kind;
  let host: GitHost;
  let one: Landings;
  let two: Landings;

  beforeEach(async () => {
    world = makeWorld();
    const make = KINDS[name];
    if (make === undefined) throw new Error(name);
    kind = await make(world);
    host = world.host('one', { env: kind.env });
    const { remote, auth, facts } = kind;
    const adopted = await adoptRemote(host, {
      ...{ remote, base: 'main', auth, checkout: null, instance: 'ours', claim: null },
    });
    expect(adopted.facts).toMatchObject(facts);
    Object.assign(world.repo, { remote, remoteKey: adopted.remoteKey, facts: adopted.facts });
    world.repo.config.auth = auth;
    git(world.person, 'remote', 'set-url', 'origin', kind.place);
    one = createLandings(host, world.records);
    two = createLandings(world.host('two', { env: kind.env }), world.records);
  });
  afterEach(async () => {
    await kind.close();
    world.cleanUp();
  });

  const ref = (refName: string): string => git(kind.place, 'rev-parse', '--verify', refName);
  const base = (): string => ref('refs/heads/main');
  const publish = (on: Landings, plan: LandingPlan) => on.publishLanding(plan, { kind: 'none', tree: plan.tree });

  async function planned(on: Landings, workItem: string): Promise<LandingPlan> {
    const head = world.head(workItem, { [`src/${workItem}.txt`]: `${workItem}\n` });
    const result = await on.prepareLanding(world.request(workItem, head), null);
    if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
    return result.plan;
  }

  it('is landed on once, with the head, the fence and the proof that go with it', async () => {
    const plan = await planned(one, 'ET-1');
    expect(await pushHead(host, world.repo, 'ET-2', plan.entry.head)).toMatchObject({ kind: 'pushed' });
    expect(ref('refs/signalbox/heads/ET-2')).toBe(plan.entry.head);
    for (const on of [one, two, one]) {
      expect(await publish(on, plan)).toMatchObject({ kind: 'landed', landing: { commit: plan.commit } });
    }
    expect([base(), ref('refs/signalbox/tip/main')]).toEqual([plan.commit, plan.commit]);
    expect(git(kind.place, 'rev-list', '--count', 'main')).toBe('2');
    git(kind.place, 'fsck', '--full', '--strict', '--no-dangling');
  });

  it('rejects the push of a host that was fenced as a whole, and takes the next one', async () => {
    const zombie = await planned(one, 'ET-1');
    const fenced = await two.fenceLanding('web', 'main', zombie);
    if (fenced.kind !== 'not-landed') throw new Error(fenced.kind);
    const before = base();
    expect(await publish(one, zombie)).toMatchObject({ kind: 'stale' });
    expect([base(), ref('refs/signalbox/tip/main')]).toEqual([before, fenced.tip]);
    const again = { ...zombie, lastTip: fenced.tip };
    expect(await publish(two, again)).toMatchObject({ kind: 'landed' });
    expect(await one.fenceLanding('web', 'main', zombie)).toMatchObject({ kind: 'landed' });
    expect(git(kind.place, 'rev-list', '--count', 'main')).toBe('2');
  });

  it('gets no landing over a push of a person, nor one back that a person took off', async () => {
    const plan = await planned(one, 'ET-1');
    // In a checkout a person commits; everywhere else they push.
    if (kind.facts.checkedOut) git(kind.place, 'commit', '-q', '--allow-empty', '-m', 'A person was here');
    else world.personPush({ 'src/b.txt': 'bb\n' });
    const person = base();
    expect(await publish(one, plan)).toMatchObject({ kind: 'stale' });
    expect(base()).toBe(person);
    git(world.person, 'pull', '-q', 'origin', 'main');
    const next = await planned(one, 'ET-2');
    expect(await publish(one, next)).toMatchObject({ kind: 'landed' });
    git(kind.place, 'update-ref', 'refs/heads/main', person);
    expect(await publish(two, next)).toMatchObject({ kind: 'blocked', block: { code: 'base-rewound' } });
    expect(base()).toBe(person);
  });
});
