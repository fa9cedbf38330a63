/** What landings cost without us: (a) the same git steps bare, (b) the classic way through a worktree. */
import path from 'node:path';
import { execa } from 'execa';
import type { Head, Synthetic } from './synthetic-repository.js';

const IDENTITY = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Bench',
  GIT_AUTHOR_EMAIL: 'bench@localhost',
  GIT_COMMITTER_NAME: 'Bench',
  GIT_COMMITTER_EMAIL: 'bench@localhost',
};

export async function benchGit(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await execa('git', ['-C', cwd, ...args], { env: IDENTITY });
  return stdout.trim();
}

/** Our gate has these by requirement: what is fetched is looked at, and a ref never outlives what it points to. */
const SAFE = { 'core.fsync': 'all', 'transfer.fsckObjects': 'true', 'fetch.fsckObjects': 'true' };

/** One way to land; its place is ready. */
export interface Way {
  land(head: Head): Promise<unknown>;
}

/** fetch with object checks, merge-tree, commit-tree, leased push, read-back; every write is synced, as with us. */
export async function bareWay(dir: string, { remote }: Synthetic): Promise<Way> {
  const gate = path.join(dir, 'bare-gate.git');
  // Base alone (a local clone links every object): a head arrives with its landing, as it does with us.
  await execa('git', ['clone', '-q', '--bare', '--no-local', '--single-branch', '--branch', 'main', remote, gate], {
    env: IDENTITY,
  });
  for (const [key, value] of Object.entries(SAFE)) await benchGit(gate, 'config', key, value);
  return {
    async land(head) {
      const refs = ['+refs/heads/main:refs/remotes/main', `+refs/heads/${head.branch}:refs/remotes/head`];
      await benchGit(gate, 'fetch', '-q', '--no-tags', '--no-auto-maintenance', remote, ...refs);
      const base = await benchGit(gate, 'rev-parse', 'refs/remotes/main');
      const tree = await benchGit(gate, 'merge-tree', '--write-tree', '--no-messages', base, head.oid);
      const message = `Land ${head.branch}`;
      const commit = await benchGit(gate, 'commit-tree', tree, '-p', base, '-p', head.oid, '-m', message);
      const lease = `--force-with-lease=refs/heads/main:${base}`;
      await benchGit(gate, 'push', '-q', '--atomic', lease, remote, `${commit}:refs/heads/main`);
      const [oid] = (await benchGit(gate, 'ls-remote', remote, 'refs/heads/main')).split('\t');
      if (oid !== commit) throw new Error(`base is ${oid ?? 'nothing'}, not ${commit}`);
    },
  };
}

/** worktree add, merge, push, worktree remove, with git's own settings. */
export async function worktreeWay(dir: string, { remote }: Synthetic): Promise<Way> {
  const clone = path.join(dir, 'worktree-clone.git');
  await execa('git', ['clone', '-q', '--bare', remote, clone], { env: IDENTITY });
  return {
    async land(head) {
      const tree = path.join(dir, `worktree-${head.branch}`);
      const refs = ['+refs/heads/main:refs/heads/main', `+refs/heads/${head.branch}:refs/heads/${head.branch}`];
      await benchGit(clone, 'fetch', '-q', remote, ...refs);
      await benchGit(clone, 'worktree', 'add', '-q', '--detach', tree, 'main');
      await benchGit(tree, 'merge', '-q', '--no-ff', '-m', `Land ${head.branch}`, head.oid);
      await benchGit(tree, 'push', '-q', remote, 'HEAD:refs/heads/main');
      await benchGit(clone, 'worktree', 'remove', '--force', tree);
    },
  };
}
