import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forgeOfRemote, projectFault, readApiAddress } from '../../../domain/forges.js';
import { endOfPullRequest, headStatus, pullRequestText, type PullRequestTask } from '../../../domain/pull-requests.js';
import type { MergeOutcome } from '../../../domain/merge-queue/types.js';

describe('addresses', () => {
  test.each([
    ['https://github.com/acme/web.git', { kind: 'github', api: 'https://api.github.com', project: 'acme/web' }],
    ['git@github.com:acme/web.git', { kind: 'github', api: 'https://api.github.com', project: 'acme/web' }],
    ['ssh://git@gitlab.com/acme/group/web', { kind: 'gitlab', api: 'https://gitlab.com', project: 'acme/group/web' }],
    ['https://github.com/acme', null],
    ['https://github.com.evil.example/acme/web', null],
    ['https://git.example.org/acme/web.git', null],
    ['/srv/git/github.com/acme/web.git', null],
  ])('%s names its forge', (remote, forge) => {
    expect(forgeOfRemote(remote)).toEqual(forge);
  });

  test.each([
    ['gitea', 'https://Git.Example.org/', 'https://git.example.org'],
    ['gitea', 'https://git.example.org/forge/api/v1/', 'https://git.example.org/forge'],
    ['gitlab', 'https://git.example.org:8443/api/v4', 'https://git.example.org:8443'],
    ['github', 'https://ghe.example.org/api/v3', 'https://ghe.example.org/api/v3'],
    ['github', 'http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    ['gitea', 'http://[::1]:3000/x', 'http://[::1]:3000/x'],
  ] as const)('%s at %s is %s', (kind, text, api) => {
    expect(readApiAddress(kind, text)).toEqual({ ok: true, api });
  });

  test.each([
    ...['http://git.example.org', 'http://127.0.0.1.evil.example', 'https://u:p@h', 'https://u@h', 'ftp://h', 'h'],
    ...[
      'https://h/../x',
      'https://h/?a=b',
      'https://h#x',
      'https://',
      'https://h:port',
      'http://localhost@evil.example',
    ],
  ])('%s is refused', (text) => {
    expect(readApiAddress('gitea', text)).toMatchObject({ ok: false });
  });

  test('whatever is accepted sends the token over TLS or to this machine', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (text) => {
        const read = readApiAddress('gitlab', text);
        if (!read.ok) return;
        const { protocol, hostname, username, search } = new URL(read.api);
        expect([protocol === 'https:' || hostname === 'localhost', username, search]).toEqual([true, '', '']);
      }),
    );
  });

  test('a project is owner/name, with groups only at GitLab', () => {
    expect([projectFault('github', 'acme/web'), projectFault('gitlab', 'a/b/c')]).toEqual([null, null]);
    for (const project of ['web', 'a/b/c', '../web', 'a/', '/a', 'a/.', '-a/b', '']) {
      expect([project, projectFault('gitea', project)]).toEqual([project, 'owner/name']);
    }
  });
});

describe('the picture of a task', () => {
  const task: PullRequestTask = {
    ...{ repo: 'web', workItem: 'ET-001', title: 'Say hello', description: 'Please.', state: 'running' },
    ...{ stage: 'merge', waitingOn: { kind: 'merge-queue' }, landed: null, endReason: null },
  };
  const landed = { commit: 'a'.repeat(40), tree: 't', base: 'b'.repeat(40), plan: 'p', at: '' };
  const of = (outcome: MergeOutcome | null, more: Partial<PullRequestTask> = {}) =>
    headStatus({ ...task, ...more }, 'main', { outcome });

  test('a task that is over closes its pull request, unless people may still want it', () => {
    const end = (more: Partial<PullRequestTask>, outcome: MergeOutcome | null = null) =>
      endOfPullRequest({ ...task, ...more }, { outcome });
    expect(end({ state: 'done', landed })).toBe('merged');
    expect(end({ state: 'cancelled' })).toBe('closed');
    expect(end({ state: 'done' }, { kind: 'contained' })).toBe('closed');
    expect(end({ state: 'running' }, { kind: 'contained' })).toBeNull();
    expect(end({ state: 'failed' })).toBeNull();
    expect(endOfPullRequest({ ...task, state: 'done' }, null), 'no merge stage').toBeNull();
  });

  test('the status of a head is that of its entry, else of the task', () => {
    expect(headStatus(task, 'main', null)).toEqual({ state: 'pending', description: 'merge: waits for merge-queue' });
    expect(of(null)).toEqual({ state: 'pending', description: 'in the merge queue of main' });
    expect(of({ kind: 'red', failed: { name: 'unit', command: [], exitCode: 1, tail: '' } })).toEqual({
      ...{ state: 'failure', description: 'the check unit is red' },
    });
    expect(of({ kind: 'conflict', conflict: { paths: ['a', 'b'], hunks: '' }, baseOid: 'b' })).toEqual({
      ...{ state: 'failure', description: 'conflicts with main: a, b' },
    });
    expect(of({ kind: 'refused', reason: 'a .git path' })).toMatchObject({ state: 'failure' });
    expect(of({ kind: 'withdrawn', reason: 'x' })).toMatchObject({ state: 'pending' });
    expect(of({ kind: 'contained' })).toMatchObject({ state: 'success' });
    expect(of(null, { landed })).toEqual({ state: 'success', description: `landed on main as ${'a'.repeat(12)}` });
    expect(of(null, { state: 'cancelled', endReason: 'cancelled by ada' })).toEqual({
      ...{ state: 'failure', description: 'cancelled by ada' },
    });
  });

  test('the text is the task’s, and bounded', () => {
    const { title, body } = pullRequestText(task, 'main');
    expect(title).toBe('ET-001: Say hello');
    expect(body).toMatch(/^Please\.\n\n---\n\n[^]*`web\/ET-001`[^]*Stage: `merge` \(running\)$/);
    expect(pullRequestText({ ...task, landed }, 'main').body).toContain(`Landed on \`main\` as ${landed.commit}`);
    const long = pullRequestText({ ...task, title: 'é'.repeat(500), description: 'x'.repeat(1_000_000) }, 'main');
    expect([long.title.length, long.body.length < 41_000]).toEqual([250, true]);
    expect(pullRequestText({ ...task, description: ' ' }, 'main').body).toMatch(/^Task/);
  });
});
