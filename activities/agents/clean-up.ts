/** Takes the files of finished work away. Logs stay, for whoever asks what an agent did. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { SignalboxError } from '../../domain/errors.js';
import type { AgentHost } from './host.js';
import { killTree } from './supervisor.js';
import { forgetClone } from './task-clone.js';

/** Deletes the clone of a task that is over, and what its runs left but their logs. Safe to repeat. */
export async function cleanUpTask(host: AgentHost, repo: string, workItem: string): Promise<void> {
  for (const run of await readdir(host.paths.runs).catch(() => [])) {
    if (run.startsWith(`${repo}.${workItem}.g`)) await keepLogsOnly(host.paths.run(run));
  }
  const clone = host.paths.clone(repo, workItem);
  await removeTree(clone);
  await removeHalfMade(clone);
  await forgetClone(host, repo, workItem);
}

/** Clones are made beside their place (`<clone>.<uuid>.new`): a worker that dies there leaves a part of one. */
async function removeHalfMade(clone: string): Promise<void> {
  for (const name of await readdir(path.dirname(clone)).catch(() => [])) {
    if (name.startsWith(`${path.basename(clone)}.`))
      await rm(path.join(path.dirname(clone), name), { recursive: true, force: true });
  }
}

const KEPT = ['out.jsonl', 'err.log', 'setup.log', 'shim.log', 'shim.json', 'exit.json'];

/** Whether a run directory holds anything that `keepLogsOnly` would take away. */
export async function hasMoreThanLogs(runDir: string): Promise<boolean> {
  return (await readdir(runDir)).some((name) => !KEPT.includes(name));
}

/** Ends what is left of a run and deletes everything but its logs and records. */
export async function keepLogsOnly(runDir: string): Promise<void> {
  await killTree(runDir);
  for (const name of await readdir(runDir)) {
    if (!KEPT.includes(name)) await removeTree(path.join(runDir, name));
  }
}

/**
 * Deletes a directory whatever permissions and however many files an agent left in it. It is out of the way at once:
 * moved aside first. Throws `host-infrastructure` when something cannot be deleted.
 */
export async function removeTree(target: string): Promise<void> {
  if (!existsSync(target)) return;
  const aside = `${target}.gone-${randomBytes(4).toString('hex')}`;
  await rename(target, aside);
  await execa('chmod', ['-R', 'u+rwX', '--', aside], { reject: false, stdio: 'ignore' });
  const removed = await execa('rm', ['-rf', '--', aside], { reject: false });
  if (removed.exitCode !== 0) {
    throw new SignalboxError('host-infrastructure', `${aside} cannot be deleted: ${removed.stderr.slice(-500)}`);
  }
}

/** Deletes what an interrupted `removeTree` left in a directory. */
export async function removeGone(dir: string): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (/\.gone-[0-9a-f]{8}$/.test(name)) await rm(path.join(dir, name), { recursive: true, force: true });
  }
}
