/** Deleting what an agent had in its hands. */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { SignalboxError } from '../../domain/errors.js';
import { isDirectory, isTaken } from './plain-file.js';

/**
 * Deletes a directory whatever permissions and however many files an agent left in it. It is out of the way at once:
 * moved aside first. Throws `host-infrastructure` when something cannot be deleted.
 */
export async function removeTree(target: string): Promise<void> {
  if (!isTaken(target)) return;
  const aside = `${target}.gone-${randomBytes(4).toString('hex')}`;
  await rename(target, aside);
  await removeAside(aside);
}

async function removeAside(aside: string): Promise<void> {
  // chmod would follow a link that it is given by name.
  if (!isDirectory(aside)) return rm(aside, { force: true });
  await execa('chmod', ['-R', 'u+rwX', '--', aside], { reject: false, stdio: 'ignore' });
  const removed = await execa('rm', ['-rf', '--', aside], { reject: false });
  if (removed.exitCode !== 0) {
    throw new SignalboxError('host-infrastructure', `${aside} cannot be deleted: ${removed.stderr.slice(-500)}`);
  }
}

/** Deletes what an interrupted `removeTree` left in a directory. */
export async function removeGone(dir: string): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (/\.gone-[0-9a-f]{8}$/.test(name)) await removeAside(path.join(dir, name));
  }
}
