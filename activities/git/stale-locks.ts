/**
 * Lock files that a killed git left in a remote on this machine. They stop every later push, and removing one that is
 * in use would let two writers publish: so only with our flock held, old enough, and nobody working inside.
 */
import { readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { baseRef, tipRef } from './remote.js';
import { foreignLock } from './resolve.js';
import type { Gate } from './gate.js';
import type { QueueBlock } from '../../domain/merge-queue/types.js';

const POLL_MS = 100;

/** Waits for locks to go, removes abandoned ones; a block names one that somebody seems to hold on to. */
export async function clearRemoteLocks(gate: Gate, refs: readonly string[] = []): Promise<QueueBlock | null> {
  if (!gate.remote.local) return null;
  const gitDir = await gitDirOf(gate.remote.url);
  const candidates = [baseRef(gate.repo), tipRef(gate.repo), 'HEAD', 'packed-refs', ...refs];
  for (const name of candidates) {
    const file = path.join(gitDir, `${name}.lock`);
    for (;;) {
      const found = await stat(file).catch(() => null);
      if (found === null) break;
      const age = Date.now() - found.mtimeMs;
      if (age >= gate.host.staleLockMs) {
        const holder = await processInside(gate.remote.url);
        if (holder !== null) return foreignLock(gate, `${file} is there, and ${holder} works in the repository`);
        await rm(file, { force: true });
        break;
      }
      gate.host.heartbeat(`waiting for ${name}.lock`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  return null;
}

/** The directory with refs and objects of a repository by path: bare, with a work tree, or a linked one. */
export async function gitDirOf(repository: string): Promise<string> {
  const inside = path.join(repository, '.git');
  const found = await stat(inside).catch(() => null);
  if (found === null) return repository;
  if (found.isDirectory()) return inside;
  const pointer = /^gitdir: (.+)$/m.exec(await readFile(inside, 'utf8'))?.[1];
  return pointer === undefined ? repository : path.resolve(repository, pointer);
}

/** Some process whose working directory is inside, in words; one that git runs as and cannot be looked into counts. */
async function processInside(directory: string): Promise<string | null> {
  const top = await realpath(directory);
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const comm = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => null);
    if (comm === null) continue;
    const cwd = await readlink(`/proc/${pid}/cwd`).catch((err: unknown) => {
      return (err as NodeJS.ErrnoException).code === 'EACCES' && comm.startsWith('git') ? top : null;
    });
    if (cwd !== null && (cwd === top || cwd.startsWith(`${top}/`))) return `process ${pid} (${comm.trim()})`;
  }
  return null;
}
