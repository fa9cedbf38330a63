/**
 * A remote on this machine whose base branch is checked out, kept in step after a landing where that was asked for.
 * Best effort and safe to repeat: local edits in the way leave everything as it is. Where the checkout stayed is kept in
 * a ref of it, so that the next landing brings up all that is missing once the edits are out of the way.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Landing } from '../../domain/merge-queue/types.js';
import type { CheckoutBehind } from '../../domain/tasks.js';
import { shellWord } from './auth.js';
import { lastWords, type GitCall } from './command.js';
import type { Gate } from './gate.js';
import { ANY_CODE, baseRef } from './remote.js';

/** Null if the checkout shows the landing, or nobody wants it to; else why it stays behind. */
export async function followCheckout(gate: Gate, landing: Landing): Promise<CheckoutBehind | null> {
  if (gate.repo.config.checkout !== 'update' || !gate.remote.local) return null;
  const tree = gate.remote.url;
  const found = await stat(path.join(tree, '.git')).catch(() => null);
  if (found === null) return null;
  const call: GitCall = {
    cwd: tree,
    env: { GIT_DIR: path.join(tree, '.git'), GIT_WORK_TREE: tree },
    answers: ANY_CODE,
  };
  const git = gate.host.git;
  const branch = (await git.run(['symbolic-ref', '-q', 'HEAD'], call)).stdout.trim();
  if (branch !== baseRef(gate.repo)) return null;
  await git.run(['update-index', '-q', '--refresh'], call);
  const stayed = `refs/signalbox/checkout/${gate.repo.base}`;
  const before = (await git.run(['rev-parse', '--verify', '--quiet', stayed], call)).stdout.trim();
  // Without a difference to the base of this landing somebody brought the checkout up meanwhile.
  const behind =
    before !== '' && (await git.run(['diff-index', '--cached', '--quiet', landing.base, '--'], call)).code !== 0;
  const from = behind ? before : landing.base;
  const moved = await git.run(['read-tree', '-m', '-u', from, landing.commit], call);
  if (moved.code === 0) {
    if (before !== '') await git.run(['update-ref', '-d', stayed], call);
    return null;
  }
  await git.run(['update-ref', stayed, from], call);
  return {
    reason: `local edits in ${tree} are in the way: ${lastWords(moved.stderr)}`,
    mendedBy: mendedBy(tree, stayed, gate.repo.base),
  };
}

/** As if the edits had been made on what the checkout shows: from there git merges them into base as it is now. */
function mendedBy(tree: string, stayed: string, base: string): string {
  const steps = [
    `cd ${shellWord(tree)}`,
    `git update-ref --no-deref HEAD ${stayed}`,
    'git reset -q',
    `git checkout -m ${base}`,
    `git update-ref -d ${stayed}`,
  ];
  return steps.join(' && ');
}
