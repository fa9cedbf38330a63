/** Takes the files of finished work away. Logs stay, for whoever asks what an agent did. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { AgentHost } from './host.js';
import { isDirectory } from './plain-file.js';
import { removeTree } from './remove-tree.js';
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
    if (name.startsWith(`${path.basename(clone)}.`)) await removeTree(path.join(path.dirname(clone), name));
  }
}

const KEPT = ['out.jsonl', 'err.log', 'setup.log', 'shim.log', 'shim.json', 'exit.json'];

/** Whether a run directory holds anything that `keepLogsOnly` would take away. */
export async function hasMoreThanLogs(runDir: string): Promise<boolean> {
  return !isDirectory(runDir) || (await readdir(runDir, { withFileTypes: true })).some((entry) => !isKept(entry));
}

/** A log or a record; what an agent put in the place of one is neither. */
const isKept = (entry: Dirent): boolean => entry.isFile() && KEPT.includes(entry.name);

/** Ends what is left of a run and deletes everything but its logs and records. */
export async function keepLogsOnly(runDir: string): Promise<void> {
  await killTree(runDir);
  if (!isDirectory(runDir)) return removeTree(runDir);
  for (const entry of await readdir(runDir, { withFileTypes: true })) {
    if (!isKept(entry)) await removeTree(path.join(runDir, entry.name));
  }
}
