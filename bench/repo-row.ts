import type { Repo } from '../domain/repos.js';

/** The row of a repository on a bare remote of this machine that lands with `merge`. */
export function benchRepo(remote: string, adoptedAt: string): Repo {
  return {
    id: 'bench',
    remote,
    remoteKey: remote,
    base: 'main',
    prefix: 'ET',
    config: {
      auth: { kind: 'none', ref: null },
      merge: { strategy: 'merge' },
      checkout: null,
      setup: null,
      checks: [],
      pipeline: null,
    },
    facts: { headsPrefix: 'refs/signalbox/heads/', tipPrefix: 'refs/signalbox/tip/', local: true, checkedOut: false },
    adoptedAt,
    createdAt: '2026-01-01T00:00:00Z',
  };
}
