/** Real remotes and clones of them for tests: each in a directory of its own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hostPaths } from '../../activities/paths.js';
import { createGitHost, type GitHost, type LandingRecords } from '../../activities/git/host.js';
import type { DecidedOn, NeededApproval } from '../../domain/pipeline/approvals.js';
import type { VerdictKind } from '../../domain/checks/types.js';
import { entryId } from '../../domain/merge-queue/plan.js';
import type { EnqueueRequest, Gate, Landing, Strategy } from '../../domain/merge-queue/types.js';
import type { Repo } from '../../domain/repos.js';

const ENV = {
  PATH: process.env['PATH'] ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Dev',
  GIT_AUTHOR_EMAIL: 'dev@example.org',
  GIT_COMMITTER_NAME: 'Dev',
  GIT_COMMITTER_EMAIL: 'dev@example.org',
};

/** Runs git as a person would; gives its output without the last line end. */
export function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, env: ENV, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd();
}

export interface World {
  root: string;
  /** Bare. */
  remote: string;
  /** A person's clone, on the base branch. */
  person: string;
  repo: Repo;
  records: MemoryRecords;
  /** A host with a gate of its own. */
  host(name: string, options?: { staleLockMs?: number; lockWaitMs?: number; env?: Record<string, string> }): GitHost;
  /** Commits `files` in one commit on a new branch from `from`, pushes it as the head of `workItem`. */
  head(workItem: string, files: Record<string, string>, options?: { from?: string; message?: string }): string;
  request(workItem: string, head: string, generation?: number, tried?: number): EnqueueRequest;
  remoteRef(ref: string): string;
  base(): string;
  tip(): string;
  /** A person moves base on the remote, by force. */
  setBase(oid: string): void;
  /** A person commits on base. */
  personPush(files: Record<string, string>): string;
  cleanUp(): void;
}

export class MemoryRecords implements LandingRecords {
  landings: Landing[] = [];
  gates: Gate[] = [];
  fixes = new Set<string>();
  /** By the configuration of the checks. */
  verdicts = new Map<string, VerdictKind>();
  needed: NeededApproval[] = [];
  decisions: DecidedOn[] = [];
  unwantedReason: string | null = null;
  readonly known: Repo;
  constructor(known: Repo) {
    this.known = known;
  }
  repo(id: string): Promise<Repo | null> {
    return Promise.resolve(id === this.known.id ? this.known : null);
  }
  lastLanding(): Promise<Landing | null> {
    return Promise.resolve(this.landings.at(-1) ?? null);
  }
  landingOfEntry(entry: string): Promise<Landing | null> {
    return Promise.resolve(this.landings.find((l) => l.entry === entry) ?? null);
  }
  landingOfTask(repo: string, workItem: string, generation: number): Promise<Landing | null> {
    const task = `${repo}/${workItem}`;
    return Promise.resolve(this.landings.find((l) => l.task === task && l.generation === generation) ?? null);
  }
  activeGates(): Promise<Gate[]> {
    return Promise.resolve(this.gates);
  }
  isFix(entry: string): Promise<boolean> {
    return Promise.resolve(this.fixes.has(entry));
  }
  verdictOf(_tree: string, _repo: string, configHash: string): Promise<VerdictKind | null> {
    return Promise.resolve(this.verdicts.get(configHash) ?? null);
  }
  approvals(): ReturnType<LandingRecords['approvals']> {
    return Promise.resolve({ needed: this.needed, decisions: this.decisions });
  }
  unwanted(): Promise<string | null> {
    return Promise.resolve(this.unwantedReason);
  }
}

export const FILES: Record<string, string> = {
  'README.md': 'one\ntwo\nthree\n',
  'src/a.txt': 'a\n',
  'src/b.txt': 'b\n',
};

export function write(dir: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), text);
  }
}

export function commitAll(dir: string, message: string): string {
  git(dir, 'add', '-A');
  git(dir, 'commit', '-q', '--allow-empty', '-m', message);
  return git(dir, 'rev-parse', 'HEAD');
}

export function makeWorld(options: { strategy?: Strategy; files?: Record<string, string> } = {}): World {
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-git-'));
  const remote = path.join(root, 'remote.git');
  const person = path.join(root, 'person');
  git(root, 'init', '-q', '--bare', '-b', 'main', remote);
  git(root, 'init', '-q', '-b', 'main', person);
  write(person, options.files ?? FILES);
  const first = commitAll(person, 'First');
  git(person, 'remote', 'add', 'origin', remote);
  git(person, 'push', '-q', 'origin', 'main', 'main:refs/signalbox/tip/main');
  const repo: Repo = {
    ...{ id: 'web', remote, remoteKey: `path:${remote}`, base: 'main', prefix: 'ET', adoptedAt: first },
    config: {
      ...{ auth: { kind: 'none', ref: null }, merge: { strategy: options.strategy ?? 'auto' }, checkout: null },
      ...{ setup: null, checks: [], pipeline: null },
    },
    facts: {
      ...{ headsPrefix: 'refs/signalbox/heads/', tipPrefix: 'refs/signalbox/tip/', local: true, checkedOut: false },
    },
    createdAt: '2026-01-01T00:00:00Z',
  };
  const world: World = {
    ...{ root, remote, person, repo, records: new MemoryRecords(repo) },
    host: (name, o = {}) =>
      createGitHost({
        paths: hostPaths(path.join(root, `host-${name}`)),
        lookup: (key) => o.env?.[key] ?? (key === 'PATH' ? process.env['PATH'] : undefined),
        ...{ staleLockMs: o.staleLockMs ?? 300, lockWaitMs: o.lockWaitMs ?? 20_000 },
      }),
    head(workItem, files, o = {}) {
      git(person, 'checkout', '-q', '--detach', o.from ?? 'main');
      write(person, files);
      const oid = commitAll(person, o.message ?? `Work on ${workItem}`);
      git(person, 'push', '-q', '-f', 'origin', `HEAD:${repo.facts.headsPrefix}${workItem}`);
      git(person, 'checkout', '-q', 'main');
      return oid;
    },
    request(workItem, head, generation = 1, tried = 1) {
      const identity = { repo: 'web', base: 'main', task: `web/${workItem}`, generation, head, try: tried };
      return {
        ...{ ...identity, workItem, entry: entryId(identity), workflowId: `task/web/${workItem}` },
        ...{ title: `Title of ${workItem}`, priority: 'normal', enqueuedAt: '2026-02-03T04:05:06Z' },
      };
    },
    remoteRef: (ref) => git(remote, 'rev-parse', '--verify', ref),
    base: () => git(remote, 'rev-parse', '--verify', 'refs/heads/main'),
    tip: () => git(remote, 'rev-parse', '--verify', `${repo.facts.tipPrefix}main`),
    setBase: (oid) => void git(remote, 'update-ref', 'refs/heads/main', oid),
    personPush(files) {
      git(person, 'fetch', '-q', 'origin', 'main');
      git(person, 'checkout', '-q', '-B', 'main', 'FETCH_HEAD');
      write(person, files);
      const oid = commitAll(person, 'A person was here');
      git(person, 'push', '-q', 'origin', 'main');
      return oid;
    },
    cleanUp: () => rmSync(root, { recursive: true, force: true }),
  };
  return world;
}
