/**
 * One `up` per data directory. The lock is the kernel's (flock), held by a helper that lives as long as its standard
 * input, which is ours: it is free the moment we die, however we die, and nothing stale can remain.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignalboxError } from '../../domain/errors.js';
import { isAlive, processRef, type ProcessRef } from '../processes.js';

/** A holder that was killed a moment ago gives the lock back as soon as the kernel has closed its pipes. */
const PATIENCE_MS = 3000;

/** Takes the lock for the life of this process, or throws with the pid of the one that has it. */
export async function lockDataDir(dataDir: string): Promise<void> {
  const file = path.join(dataDir, 'up.lock');
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await tryLock(file))) {
    const holder = await readHolder(file);
    const alive = holder !== null && isAlive(holder);
    if (alive || Date.now() > deadline) {
      const who = alive ? `process ${holder.pid}` : 'another process';
      throw new SignalboxError('start-failed', `signalbox up already runs on ${dataDir} (${who})`, {
        ...(alive ? { pid: holder.pid } : {}),
      });
    }
    await sleep(50);
  }
  await writeFile(file, JSON.stringify(processRef(process.pid)));
}

async function tryLock(file: string): Promise<boolean> {
  // `cat` says "held" by echoing the byte that we write, and then waits for the end of its input.
  const holder = spawn('flock', ['--exclusive', '--nonblock', '--no-fork', file, 'cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  holder.stdin.on('error', () => undefined); // it ended without the lock: reported by its exit
  holder.stdin.write('1');
  const failed = once(holder, 'exit').then(() => false);
  const held = once(holder.stdout, 'data').then(() => true);
  const locked = await Promise.race([held, failed]).catch((err: unknown) => {
    throw new SignalboxError('start-failed', 'flock (of util-linux) is needed and cannot be run', {}, { cause: err });
  });
  if (!locked) return false;
  holder.unref();
  for (const pipe of [holder.stdin, holder.stdout]) if (pipe instanceof Socket) pipe.unref();
  return true;
}

async function readHolder(file: string): Promise<ProcessRef | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessRef;
  } catch {
    return null; // not written yet, or half-written by one that was killed
  }
}
