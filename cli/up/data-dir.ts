import { access, constants, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../../domain/errors.js';

/**
 * Makes the data directory where it is missing, one directory after the other: of a place that takes none (below /proc)
 * node's own recursive mkdir never comes back.
 */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await makeBelow(dataDir);
    await access(dataDir, constants.W_OK | constants.X_OK);
  } catch (err) {
    const reason = (err as NodeJS.ErrnoException).code ?? (err as Error).message;
    throw new SignalboxError(
      'start-failed',
      `the data directory ${dataDir} cannot be made or written to (${reason}): name another with --data-dir`,
    );
  }
}

async function makeBelow(directory: string): Promise<void> {
  if (await isDirectory(directory)) return;
  await makeBelow(path.dirname(directory));
  await mkdir(directory, { mode: 0o755 }).catch(async (err: unknown) => {
    // Another process made it meanwhile.
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST' || !(await isDirectory(directory))) throw err;
  });
}

async function isDirectory(directory: string): Promise<boolean> {
  try {
    return (await stat(directory)).isDirectory();
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}
