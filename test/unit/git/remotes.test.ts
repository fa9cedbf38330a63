import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { branchFault, checkRemote, pathKey } from '../../../domain/remotes.js';

const key = (text: string): string | null => {
  const checked = checkRemote(text);
  return checked.ok ? checked.address.key : null;
};

describe('the address of a remote', () => {
  it.each([
    ...[
      'ext::sh -c touch% x',
      'fd::7',
      '-oProxyCommand=touch x',
      '--upload-pack=x',
      'ssh://-x/y',
      'ssh://-oProxyCommand=x/y',
    ],
    ...[
      'https://user:pw@host/x',
      'https://token@host/x',
      'ssh://u:p@host/x',
      'git@-x:y',
      '-x@host:y',
      'host:-x',
      '',
      '/',
      '.',
    ],
    ...[
      'relative/path',
      '../x',
      'ftp://h/x',
      'javascript:alert(1)//',
      'file://host/x',
      'https://',
      'https:///x',
      'https://h',
    ],
    ...[
      'https://h/../x',
      'https://h/x?y',
      'https://h:99999/x',
      'https://h/a b',
      'a\nb:c',
      '/a\0b',
      '/a\u202eb',
      'ssh://h/-x',
    ],
  ])('refuses %j', (text) => expect(checkRemote(text)).toMatchObject({ ok: false }));

  it.each([
    [
      [
        'https://Example.ORG/a/b.git',
        'https://example.org:443/a/b/',
        'https://example.org/a/b',
        'http://example.org:80/a/b',
      ],
    ],
    [['git@example.org:a/b.git', 'ssh://git@example.org:22/a/b', 'ssh://git@EXAMPLE.org/a/b.git/', 'example.org:a/b']],
    [['/srv/git/web.git', 'file:///srv/git/web.git', '/srv//git/./web.git/', 'file://localhost/srv/git/web.git']],
  ])('has one key for %j', (spellings) => {
    expect(new Set(spellings.map(key)).size).toBe(1);
    expect(key(spellings[0] ?? '')).not.toBeNull();
  });

  it('has other keys for other remotes', () => {
    const others = ['https://h/a', 'https://h/b', 'https://h:8443/a', 'https://i/a', 'ssh://joe@h/a', '/a', '/b'];
    expect(new Set(others.map(key)).size).toBe(others.length);
    expect(pathKey('/srv/web/.git')).toBe(pathKey('/srv/web'));
  });

  it('never passes on anything that git could take for an option or a program', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^(ssh:\/\/|https:\/\/|git@|file:\/\/|ext::)?[-a-z:@/.%]{0,30}$/)),
        (text) => {
          const checked = checkRemote(text);
          if (!checked.ok) return;
          expect(checked.address.url).not.toMatch(/^-|^[A-Za-z0-9+.-]*::|[\0\n\r]|:\/\/-|^[^/:]*@-/);
          expect(checked.address.url).toMatch(/^\/|^(https?|ssh|git):\/\/|^[^/:]+:|^\[/i);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the name of a branch', () => {
  it.each([
    ...[
      '-x',
      '--upload-pack=touch p',
      '$(id)',
      'a;id',
      '`id`',
      'a\nb',
      'refs/heads/main',
      'HEAD',
      '@',
      'main',
      'a..b',
      'x.lock',
    ],
    ...[
      'x'.repeat(300),
      '\u202eabc',
      'a\u200bb',
      'caf\u00e9',
      'cafe\u0301',
      'a/.b',
      'a//b',
      'a/',
      'a.',
      'x.lock/y',
      'a/-b',
      'heads/x',
    ],
    ...['signalbox/heads/ET-1', '', 'a b', 'a~1', 'a^', 'a:b', 'a?b', 'a*b', 'a[b', 'a\\b', 'a@{1}', 'FETCH_HEAD'],
  ])('refuses %j', (name) => expect(branchFault(name, 'main')).not.toBeNull());
  it.each(['signalbox/ET-012', 'feature/x', 'Main', 'a.b-c_d/1', 'release-1.2'])('takes %j', (name) =>
    expect(branchFault(name, 'main')).toBeNull(),
  );
});
