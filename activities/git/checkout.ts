/**
 * A remote on this machine whose base branch is checked out, kept in step after a landing where that was asked for.
 * Best effort and safe to repeat: local edits in the way leave everything as it is.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Landing } from '../../domain/merge-queue/types.js';
import { lastWords, type GitCall } from './command.js';
import type { Gate } from './gate.js';
import { baseRef } from './remote.js';

/** Null if the checkout shows the landing, or nobody wants it to; else why it stays behind. */
export async function followCheckout(gate: Gate, landing: Landing): Promise<string | null> {
  if (gate.repo.config.checkout !== 'update' || !gate.remote.local) return null;
  const tree = gate.remote.url;
  const found = await stat(path.join(tree, '.git')).catch(() => null);
  if (found === null) return null;
  const any = Array.from({ length: 256 }, (_, code) => code);
  const call: GitCall = { cwd: tree, env: { GIT_DIR: path.join(tree, '.git'), GIT_WORK_TREE: tree }, answers: any };
  const git = gate.host.git;
  const branch = (await git.run(['symbolic-ref', '-q', 'HEAD'], call)).stdout.trim();
  if (branch !== baseRef(gate.repo)) return null;
  await git.run(['update-index', '-q', '--refresh'], call);
  const moved = await git.run(['read-tree', '-m', '-u', landing.base, landing.commit], call);
  return moved.code === 0 ? null : `local edits in ${tree} are in the way: ${lastWords(moved.stderr)}`;
}
