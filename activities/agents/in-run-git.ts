/**
 * git inside a run: in the agent's clone, with the agent's environment and the run's mark, never with ours. What an
 * agent planted in the clone (hooks, filters, fsmonitor) can do here no more than the agent itself. Node built-ins only.
 */
import { spawn } from 'node:child_process';
import { closeSync, lstatSync, readdirSync, readSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errno, openNameless } from './plain-file.js';
import type { SupervisedGit } from './records.js';
import type { RunTree } from './processes.js';

/** A git command inside of a run that takes longer is held up by something hostile. */
const LIMIT_MS = 10 * 60_000;
const OUTPUT_READ = 64 * 1024;

/** Runs git with these arguments in the clone; `out` is the beginning of what it printed. */
export type RunGit = (args: string[]) => Promise<{ code: number | null; out: string }>;

const QUIET = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'gc.auto=0'];

/** One git command, its output by way of a file without a name: a process that it leaves behind cannot hold us up. */
export async function runGit(
  args: string[],
  at: { clone: string; env: Record<string, string>; runDir: string; tree: RunTree },
): Promise<{ code: number | null; out: string }> {
  const fd = openNameless(at.runDir);
  try {
    const argv = ['--git-dir', path.join(at.clone, '.git'), '--work-tree', at.clone, ...args];
    const child = spawn('git', argv, { cwd: at.clone, env: at.env, detached: true, stdio: ['ignore', fd, fd] });
    if (child.pid !== undefined) at.tree.addSession(child.pid);
    const late = setTimeout(() => void at.tree.kill(), LIMIT_MS);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('exit', (exit) => resolve(exit));
      child.once('error', reject);
    });
    clearTimeout(late);
    const buffer = Buffer.alloc(OUTPUT_READ);
    return { code, out: buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0)) };
  } finally {
    closeSync(fd);
  }
}

/** Brings the clone to where the stage begins. Gives what went wrong, or null. */
export async function refresh(git: SupervisedGit, clone: string, run: RunGit): Promise<string | null> {
  const dir = path.join(clone, '.git');
  try {
    if (!lstatSync(dir).isDirectory()) return '.git is not a directory';
    dropLocks(dir);
    dropHalfDone(dir);
  } catch (err) {
    return `.git cannot be used (${errno(err) ?? String(err)})`;
  }
  const steps: string[][] = [];
  if (git.bundle !== null) {
    const { file, ref } = git.bundle;
    steps.push(['fetch', '-q', '--no-tags', file, `+${ref}:refs/remotes/origin/${git.base}`]);
  }
  steps.push(['update-ref', `refs/remotes/origin/${git.base}`, git.baseOid]);
  steps.push(['checkout', '-q', '-f', '-B', git.branch, git.start], ['clean', '-ffdq']);
  for (const step of steps) {
    const { code, out } = await run([...QUIET, ...step]);
    if (code !== 0) return `git ${step[0] ?? ''} ended with ${code ?? 'a signal'}: ${out.slice(-500)}`;
  }
  return null;
}

/** Operations that an earlier run left half done. */
const HALF_DONE = ['rebase-merge', 'rebase-apply', 'MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD'];

function dropHalfDone(dir: string): void {
  for (const name of HALF_DONE) rmSync(path.join(dir, name), { recursive: true, force: true });
}

/** Lock files of processes that are gone: every process before this moment was ended. */
function dropLocks(dir: string, below = false): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.name.endsWith('.lock')) rmSync(file, { recursive: true, force: true });
    // Itself a directory: a link among refs may lead anywhere, also to where it lies.
    else if (entry.isDirectory() && (entry.name === 'refs' || below)) dropLocks(file, true);
  }
}

/** Commits what the agent left uncommitted, on its branch. */
export async function commitLeftovers(
  git: SupervisedGit,
  clone: string,
  run: RunGit,
): Promise<{ committed: boolean; error: string | null }> {
  if (git.leftovers === null) return { committed: false, error: null };
  const { message, name, email } = git.leftovers;
  const dir = path.join(clone, '.git');
  if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return { committed: false, error: '.git is not a directory' };
  }
  dropLocks(dir);
  const status = await run([...QUIET, 'status', '--porcelain', '-z', '--untracked-files=normal']);
  if (status.code !== 0) return { committed: false, error: `git status failed: ${status.out.slice(-500)}` };
  if (status.out === '') return { committed: false, error: null };
  const head = await run(['symbolic-ref', '-q', 'HEAD']);
  if (head.out.trim() !== `refs/heads/${git.branch}`) {
    return { committed: false, error: `the work tree was not on ${git.branch}; its uncommitted changes were left` };
  }
  const identity = ['-c', `user.name=${name}`, '-c', `user.email=${email}`, '-c', 'commit.gpgSign=false'];
  for (const args of [
    ['add', '-A'],
    ['commit', '-q', '--no-verify', '--allow-empty-message', '-m', message],
  ]) {
    const { code, out } = await run([...QUIET, ...identity, ...args]);
    if (code !== 0) return { committed: false, error: `git ${args[0] ?? ''} failed: ${out.slice(-500)}` };
  }
  return { committed: true, error: null };
}
