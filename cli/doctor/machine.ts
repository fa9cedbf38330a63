/** What this machine must have: programs, space, a directory to write to. */
import { access, constants, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { compareVersions } from '../embedded/temporal-binary.js';
import { failed, guarded, note, ok, type Check } from './check.js';

const LEAST_GIT = '2.39.0';
const LEAST_NODE = '20.19.0';
const LEAST_FREE_BYTES = 2 * 1024 ** 3;

export async function checkMachine(dataDir: string): Promise<Check[]> {
  const checks = await Promise.all([
    checkGit(),
    checkFlock(),
    checkSandbox(),
    guarded('data directory', `make ${dataDir} writable, or name another with --data-dir`, async () =>
      checkDisk(dataDir),
    ),
  ]);
  return [checkNode(), ...checks.flat()];
}

function checkNode(): Check {
  const version = process.versions.node;
  return compareVersions(version, LEAST_NODE) >= 0
    ? ok('node', version)
    : failed('node', `${version} is older than ${LEAST_NODE}`, `install Node ${LEAST_NODE} or newer`);
}

async function checkGit(): Promise<Check[]> {
  const mend = `install git ${LEAST_GIT} or newer`;
  const { stdout, failed: broken } = await execa('git', ['--version'], { reject: false });
  const version = /(\d+\.\d+(\.\d+)?)/.exec(stdout)?.[1];
  if (broken || version === undefined) return [failed('git', 'git cannot be run', mend)];
  if (compareVersions(version, LEAST_GIT) < 0) return [failed('git', `${version} is older than ${LEAST_GIT}`, mend)];
  return [ok('git', version)];
}

async function checkFlock(): Promise<Check[]> {
  const { stdout, failed: broken } = await execa('flock', ['--version'], { reject: false });
  return [broken ? failed('flock', 'flock cannot be run', 'install util-linux') : ok('flock', stdout)];
}

async function checkSandbox(): Promise<Check[]> {
  const { failed: broken } = await execa('bwrap', ['--version'], { reject: false });
  const found = broken ? 'no bwrap on PATH' : 'bwrap is there';
  return [note('sandbox', `agents run without a sandbox in this version (${found})`)];
}

async function checkDisk(dataDir: string): Promise<Check[]> {
  const there = await nearest(path.resolve(dataDir));
  await access(there, constants.W_OK | constants.X_OK);
  const { bavail, bsize } = await statfs(there);
  const free = bavail * bsize;
  const text = `${path.resolve(dataDir)}, ${(free / 1024 ** 3).toFixed(1)} GiB free`;
  return free >= LEAST_FREE_BYTES
    ? [ok('data directory', text)]
    : [failed('data directory', text, 'free some space: clones, checks and logs need at least 2 GiB')];
}

/** The directory, or the one above it in which it would be made: looking makes nothing. */
async function nearest(directory: string): Promise<string> {
  try {
    if ((await stat(directory)).isDirectory()) return directory;
    throw new Error(`${directory} is not a directory`);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
    return nearest(path.dirname(directory));
  }
}
