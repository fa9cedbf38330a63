/** What landings cost without us: (a) the same git steps bare, (b) the classic way through a worktree. */
import path from 'node:path';
import { execa } from 'execa';
import type { Synthetic } from './synthetic-repository.js';
import { timed } from './figures.js';

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

/** fetch, merge-tree, commit-tree, leased push, read-back: milliseconds of each landing. */
export async function bareLandings(dir: string, { remote, heads }: Synthetic): Promise<number[]> {
  const gate = path.join(dir, 'bare-gate.git');
  await execa('git', ['clone', '-q', '--bare', remote, gate], { env: IDENTITY });
  await benchGit(gate, 'config', 'core.fsync', 'all');
  const times: number[] = [];
  for (const head of heads) {
    times.push(
      await timed(async () => {
        await benchGit(
          gate,
          'fetch',
          '-q',
          remote,
          '+refs/heads/main:refs/remotes/main',
          `+refs/heads/${head.branch}:refs/remotes/head`,
        );
        const base = await benchGit(gate, 'rev-parse', 'refs/remotes/main');
        const tree = await benchGit(gate, 'merge-tree', '--write-tree', '--no-messages', base, head.oid);
        const commit = await benchGit(
          gate,
          'commit-tree',
          tree,
          '-p',
          base,
          '-p',
          head.oid,
          '-m',
          `Land ${head.branch}`,
        );
        await benchGit(
          gate,
          'push',
          '-q',
          '--atomic',
          `--force-with-lease=refs/heads/main:${base}`,
          remote,
          `${commit}:refs/heads/main`,
        );
        const [oid] = (await benchGit(gate, 'ls-remote', remote, 'refs/heads/main')).split('\t');
        if (oid !== commit) throw new Error(`base is ${oid ?? 'nothing'}, not ${commit}`);
      }),
    );
  }
  return times;
}

/** worktree add, merge, push, worktree remove: milliseconds of each landing. */
export async function worktreeLandings(dir: string, { remote, heads }: Synthetic): Promise<number[]> {
  const clone = path.join(dir, 'worktree-clone.git');
  await execa('git', ['clone', '-q', '--bare', remote, clone], { env: IDENTITY });
  const times: number[] = [];
  for (const head of heads) {
    const tree = path.join(dir, `worktree-${head.branch}`);
    times.push(
      await timed(async () => {
        await benchGit(
          clone,
          'fetch',
          '-q',
          remote,
          '+refs/heads/main:refs/heads/main',
          `+refs/heads/${head.branch}:refs/heads/${head.branch}`,
        );
        await benchGit(clone, 'worktree', 'add', '-q', '--detach', tree, 'main');
        await benchGit(tree, 'merge', '-q', '--no-ff', '-m', `Land ${head.branch}`, head.oid);
        await benchGit(tree, 'push', '-q', remote, 'HEAD:refs/heads/main');
        await benchGit(clone, 'worktree', 'remove', '--force', tree);
      }),
    );
  }
  return times;
}
