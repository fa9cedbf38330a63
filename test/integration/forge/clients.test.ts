/** The clients of all forges, by one table, against fakes that are as strict as the real ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openForge } from '../../../activities/forge/open.js';
import type { Forge } from '../../../activities/forge/forge.js';
import type { ForgeKind } from '../../../domain/forges.js';
import { fakeGitea } from '../../support/fakes/gitea.js';
import { fakeGithub } from '../../support/fakes/github.js';
import { fakeGitlab } from '../../support/fakes/gitlab.js';
import { ForgeModel } from '../../support/fakes/model.js';
import type { FakeForge } from '../../support/fakes/server.js';
import { git, makeWorld, write, commitAll, type World } from '../../support/git.js';

const FAKES = { github: fakeGithub, gitea: fakeGitea, gitlab: fakeGitlab };
const KINDS: ForgeKind[] = ['github', 'gitea', 'gitlab'];
const SECRET = 'forge-secret-9f3c';
const BASE = 'main';

describe.each(KINDS)('%s', (kind) => {
  let world: World;
  let model: ForgeModel;
  let fake: FakeForge;
  let forge: Forge;

  const open = async (token = SECRET, project = 'acme/web'): Promise<Forge> => {
    const config = {
      ...{ ...world.repo.config, auth: { kind: 'token', ref: 'env:FORGE_TOKEN' } as const },
      forge: { kind, api: fake.api, project },
    };
    const opened = await openForge((name) => (name === 'FORGE_TOKEN' ? token : undefined), { ...world.repo, config });
    return opened.forge;
  };
  /** A person commits on a branch and pushes it. */
  const push = (branch: string, file: string, from = BASE): string => {
    git(world.person, 'checkout', '-q', '--detach', from);
    write(world.person, { [file]: `${file}\n` });
    const oid = commitAll(world.person, `Add ${file}`);
    git(world.person, 'push', '-q', '-f', 'origin', `HEAD:refs/heads/${branch}`);
    return oid;
  };
  const pushAll = (...refs: string[]): void =>
    void git(world.person, 'push', '-q', '-f', '--atomic', 'origin', ...refs);
  const stateOf = async (branch: string) => (await forge.findPullRequest(branch, BASE))?.state;

  beforeAll(async () => {
    world = makeWorld();
    model = new ForgeModel(world.remote);
    model.users.set(SECRET, { login: 'bot', level: 'write' });
    model.users.set('reader', { login: 'guest', level: 'read' });
    fake = await FAKES[kind](model);
    forge = await open();
  });
  afterAll(async () => {
    await fake.close();
    world.cleanUp();
  });

  test('opens one pull request, finds it, changes and closes it', async () => {
    const sha = push('signalbox/ET-001', 'one.txt');
    expect(await forge.findPullRequest('signalbox/ET-001', BASE)).toBeNull();
    const request = { branch: 'signalbox/ET-001', base: BASE, title: 'One', body: 'First' };
    const opened = await forge.openPullRequest(request);
    expect(opened).toMatchObject({ number: 1, state: 'open', head: sha, title: 'One', body: 'First' });
    expect(opened.url).toMatch(/^https:\/\/.+1$/);
    expect(await forge.openPullRequest(request)).toMatchObject({ number: 1 });
    await forge.updatePullRequest(1, { title: 'Uno', body: 'Again' });
    const next = push('signalbox/ET-001', 'two.txt');
    expect(await forge.findPullRequest('signalbox/ET-001', BASE)).toMatchObject({
      title: 'Uno',
      body: 'Again',
      head: next,
    });
    await forge.closePullRequest(1);
    expect(await stateOf('signalbox/ET-001')).toBe('closed');
    expect(await forge.openPullRequest(request)).toMatchObject({ number: 2, state: 'open' });
    const none = { branch: 'signalbox/none', base: BASE, title: 'x', body: '' };
    await expect(forge.openPullRequest(none)).rejects.toMatchObject({ code: 'forge-refused' });
    expect(fake.misunderstood).toEqual([]);
  });

  test('a rewritten head is merged when it is pushed before base, and closed when it is pushed with it or after', async () => {
    const rewrite = (branch: string): string => {
      push(branch, `${branch.slice(-6)}.txt`);
      git(world.person, 'fetch', '-q', 'origin', BASE);
      git(world.person, 'checkout', '-q', '--detach', 'FETCH_HEAD');
      write(world.person, { [`${branch.slice(-6)}.txt`]: 'landed\n' });
      return commitAll(world.person, `Land ${branch}`);
    };
    const merged: Record<string, string | undefined> = {};
    // What a forge makes of pushes is the same for all of them.
    for (const order of kind === 'github' ? (['before', 'with', 'after'] as const) : (['before'] as const)) {
      const branch = `signalbox/${order}`;
      const landing = rewrite(branch);
      await forge.openPullRequest({ branch, base: BASE, title: order, body: '' });
      const [head, base] = [`${landing}:refs/heads/${branch}`, `${landing}:refs/heads/${BASE}`];
      if (order === 'before') [head, base].forEach((ref) => pushAll(ref));
      if (order === 'with') pushAll(head, base);
      if (order === 'after') [base, head].forEach((ref) => pushAll(ref));
      merged[order] = await stateOf(branch);
    }
    expect(merged).toEqual({ before: 'merged', ...(kind === 'github' && { with: 'closed', after: 'closed' }) });
  });

  test('only Gitea can mark one as merged afterwards', async () => {
    push('signalbox/late', 'late.txt');
    const { number } = await forge.openPullRequest({ branch: 'signalbox/late', base: BASE, title: 'Late', body: '' });
    const landed = git(world.remote, 'rev-parse', BASE);
    expect(await forge.markMerged(number, landed)).toBe(kind === 'gitea');
    expect(await stateOf('signalbox/late')).toBe(kind === 'gitea' ? 'merged' : 'open');
  });

  test('sets and reads statuses by their name; the newest counts', async () => {
    const sha = push('signalbox/status', 'status.txt');
    expect(await forge.readStatus(sha, 'signalbox')).toEqual({ state: 'absent' });
    await forge.setStatus(sha, { context: 'signalbox', state: 'pending', description: 'waits' });
    await forge.setStatus(sha, { context: 'signalbox', state: 'pending', description: 'still waits' });
    await forge.setStatus(sha, { context: 'other', state: 'failure', description: 'no' });
    expect(await forge.readStatus(sha, 'signalbox')).toMatchObject({ state: 'pending' });
    await forge.setStatus(sha, { context: 'signalbox', state: 'success', description: 'landed' });
    expect(await forge.readStatus(sha, 'signalbox')).toEqual({ state: 'success', description: 'landed', url: null });
    expect(await forge.readStatus(sha, 'other')).toMatchObject({ state: 'failure', description: 'no' });
    const lost = kind === 'gitlab' ? 'canceled' : 'cancelled';
    if (kind !== 'gitea') {
      model.setStatus(sha, 'ci', lost, { url: 'https://ci.test/1', checkRun: kind === 'github' });
      expect(await forge.readStatus(sha, 'ci')).toMatchObject({ state: 'lost', url: 'https://ci.test/1' });
    }
    model.setStatus(sha, 'ci', 'success', { checkRun: kind === 'github' });
    expect(await forge.readStatus(sha, 'ci')).toMatchObject({ state: 'success' });
    const unknown = '0123456789'.repeat(4);
    await expect(
      forge.setStatus(unknown, { context: 'signalbox', state: 'success', description: 'x' }),
    ).rejects.toThrow(/did not set a status/);
  });

  test('names the rule that keeps the token from pushing', async () => {
    expect(await forge.mayPush(BASE)).toEqual({ ok: true });
    expect(await (await open('reader')).mayPush(BASE)).toMatchObject({ ok: false, rule: /permission|role/ });
    model.protection = { branch: BASE, rule: { name: 'release-rule', pushers: [] } };
    const refused = await forge.mayPush(BASE);
    expect(refused).toMatchObject({ ok: false });
    expect(JSON.stringify(refused)).toMatch(kind === 'gitlab' ? /protection of main/ : /release-rule/);
    model.protection.rule.pushers.push('bot');
    expect(await forge.mayPush(BASE)).toEqual({ ok: true });
    model.protection = null;
  });

  test('tells a refusal from an outage, and never tells the token', async () => {
    const wrong = await open('wrong-secret-77');
    const errors: Error[] = [];
    const failed = async (asked: Promise<unknown>): Promise<unknown> => {
      const err: unknown = await asked.then(
        () => null,
        (thrown: unknown) => thrown,
      );
      errors.push(err as Error);
      return err;
    };
    expect(await failed(wrong.mayPush(BASE))).toMatchObject({ code: 'forge-refused', data: { forgeStatus: 401 } });
    expect(await failed((await open(SECRET, 'acme/other')).mayPush(BASE))).toMatchObject({
      data: { forgeStatus: 404 },
    });
    const reader = await open('reader');
    const request = { branch: 'signalbox/status', base: BASE, title: 'x', body: '' };
    expect(await failed(reader.openPullRequest(request))).toMatchObject({ code: 'forge-refused' });
    fake.down = 503;
    expect(await failed(forge.mayPush(BASE))).toMatchObject({ code: 'forge-infrastructure', retryable: true });
    fake.down = null;
    const gone = await FAKES[kind](model);
    const { api } = gone;
    await gone.close();
    const config = {
      ...world.repo.config,
      auth: { kind: 'token', ref: 'env:T' } as const,
      forge: { kind, api, project: 'acme/web' },
    };
    const away = (await openForge(() => SECRET, { ...world.repo, config })).forge;
    expect(await failed(away.readStatus('0'.repeat(40), 'x'))).toMatchObject({ code: 'forge-infrastructure' });
    const told = errors
      .map((err) => `${err.message} ${JSON.stringify(err)} ${String(err.cause)} ${err.stack ?? ''}`)
      .join();
    expect(told).not.toContain(SECRET);
    expect(told).not.toContain('wrong-secret-77');
    expect(fake.asked.join()).not.toContain(SECRET);
  });
});
