/**
 * What every forge keeps of one project, over a real bare repository. It learns of pushes as a real one does: by a hook
 * that tells each push as a whole. A pull request is merged when a push of its base brings the head that was recorded
 * before that push; a head that is pushed when base has it already, or together with base, leaves it closed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface FakePull {
  number: number;
  head: string;
  base: string;
  title: string;
  body: string;
  state: 'open' | 'merged' | 'closed';
  sha: string;
}

export interface FakeStatus {
  id: number;
  sha: string;
  context: string;
  state: string;
  description: string;
  url: string | null;
  /** A check run of GitHub rather than a status. */
  checkRun: boolean;
}

export interface FakeUser {
  login: string;
  level: 'read' | 'write' | 'admin';
}

/** Rules of the base branch. */
export interface FakeProtection {
  name: string;
  /** Who may push all the same. */
  pushers: string[];
}

const HOOK = (log: string): string => `#!/bin/sh
text="push
"
while read -r line; do text="$text$line
"; done
printf '%s' "$text" >> '${log}'
`;

export class ForgeModel {
  readonly project: string;
  readonly remote: string;
  readonly users = new Map<string, FakeUser>();
  readonly pulls: FakePull[] = [];
  readonly statuses: FakeStatus[] = [];
  protection: { branch: string; rule: FakeProtection } | null = null;
  readonly #log: string;
  #read = 0;
  /** Branches as of the pushes taken in. */
  readonly #refs = new Map<string, string>();
  #ids = 0;

  constructor(remote: string, project = 'acme/web') {
    this.project = project;
    this.remote = remote;
    this.#log = path.join(remote, 'pushes.log');
    writeFileSync(path.join(remote, 'hooks', 'post-receive'), HOOK(this.#log), { mode: 0o755 });
    for (const line of this.git('for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads').split('\n')) {
      const [ref = '', oid = ''] = line.split(' ');
      this.#refs.set(ref, oid);
    }
  }

  git(...args: string[]): string {
    return execFileSync('git', ['-C', this.remote, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  }

  has(sha: string): boolean {
    try {
      this.git('cat-file', '-e', `${sha}^{commit}`);
      return true;
    } catch {
      return false; // git says so by its exit code
    }
  }

  branch(name: string): string | null {
    try {
      return this.git('rev-parse', '--verify', '-q', `refs/heads/${name}`);
    } catch {
      return null; // git says so by its exit code
    }
  }

  contains(newer: string, older: string): boolean {
    try {
      this.git('merge-base', '--is-ancestor', older, newer);
      return true;
    } catch {
      return false; // git says so by its exit code
    }
  }

  /** Takes in the pushes since the last look, one after the other. */
  sync(): void {
    if (!existsSync(this.#log)) return;
    const lines = readFileSync(this.#log, 'utf8').split('\n').slice(this.#read, -1);
    this.#read += lines.length;
    const pushes: [old: string, now: string, ref: string][][] = [];
    for (const line of lines) {
      if (line === 'push') pushes.push([]);
      else pushes.at(-1)?.push(line.split(' ') as [string, string, string]);
    }
    for (const push of pushes) this.#take(push);
  }

  #take(push: [old: string, now: string, ref: string][]): void {
    const now = new Map(push.map(([, oid, ref]) => [ref, oid]));
    for (const pull of this.pulls.filter((p) => p.state === 'open')) {
      const base = now.get(`refs/heads/${pull.base}`);
      if (base !== undefined && this.contains(base, pull.sha)) pull.state = 'merged';
    }
    for (const pull of this.pulls.filter((p) => p.state === 'open')) {
      const head = now.get(`refs/heads/${pull.head}`);
      if (head === undefined) continue;
      if (/^0+$/.test(head)) {
        pull.state = 'closed';
        continue;
      }
      pull.sha = head;
      const base = now.get(`refs/heads/${pull.base}`) ?? this.#refs.get(`refs/heads/${pull.base}`);
      if (base !== undefined && this.contains(base, head)) pull.state = 'closed';
    }
    for (const [ref, oid] of now) this.#refs.set(ref, oid);
  }

  /** The reason against it, in the words of no forge in particular; null where it may be opened. */
  fault(head: string, base: string): 'head' | 'base' | 'empty' | 'duplicate' | null {
    const [tip, onto] = [this.branch(head), this.branch(base)];
    if (tip === null) return 'head';
    if (onto === null) return 'base';
    if (this.contains(onto, tip)) return 'empty';
    return this.pulls.some((p) => p.state === 'open' && p.head === head && p.base === base) ? 'duplicate' : null;
  }

  open(head: string, base: string, title: string, body: string): FakePull {
    const pull: FakePull = {
      ...{ number: this.pulls.length + 1, head, base, title, body, state: 'open', sha: this.branch(head) ?? '' },
    };
    this.pulls.push(pull);
    return pull;
  }

  /** As a CI does it. */
  setStatus(sha: string, context: string, state: string, more: Partial<FakeStatus> = {}): FakeStatus {
    this.#ids += 1;
    const status: FakeStatus = {
      ...{ id: this.#ids, sha, context, state, description: '', url: null, checkRun: false },
      ...more,
    };
    this.statuses.push(status);
    return status;
  }

  /** The newest first. */
  statusesOf(sha: string, checkRun = false): FakeStatus[] {
    return this.statuses.filter((s) => s.sha === sha && s.checkRun === checkRun).reverse();
  }

  mayPush(user: FakeUser, branch: string): boolean {
    if (user.level === 'read') return false;
    return this.protection?.branch !== branch || this.protection.rule.pushers.includes(user.login);
  }
}
