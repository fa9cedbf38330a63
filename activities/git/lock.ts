/**
 * The lock of a gate: an flock on an open file description that git children inherit. It outlives the process that
 * took it and is released only when the last holder of the descriptor has exited, so a new holder knows that nothing
 * of the old one writes any more.
 */
import { open, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { SignalboxError } from '../../domain/errors.js';
import { inherited } from './command.js';

const turns = new Map<string, Promise<unknown>>();

/**
 * Runs `action` while this process holds the lock; callers of one process take turns. `meanwhile` runs in our turn,
 * while we wait for other processes. Throws `gate-busy`.
 */
export async function withFlock<T>(
  file: string,
  waitMs: number,
  action: (fd: number) => Promise<T>,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  const before = turns.get(file) ?? Promise.resolve();
  const mine = before.then(() => locked(file, waitMs, action, meanwhile));
  // The next in line waits for the end, not for the success.
  const settled = mine.then(
    () => undefined,
    () => undefined,
  );
  turns.set(file, settled);
  try {
    return await mine;
  } finally {
    if (turns.get(file) === settled) turns.delete(file);
  }
}

async function locked<T>(
  file: string,
  waitMs: number,
  action: (fd: number) => Promise<T>,
  meanwhile: () => Promise<void>,
): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  const handle = await open(file, 'a', 0o600);
  try {
    // The lock belongs to the open file description that the child shares with us: when it exits, we hold it.
    const seconds = String(Math.max(waitMs, 0) / 1000);
    const taking = execa('flock', ['-w', seconds, '3'], {
      stdio: ['ignore', 'pipe', 'pipe', inherited(handle.fd)],
      reject: false,
    });
    const [result] = await Promise.all([taking, meanwhile()]);
    if (result.exitCode === 1) {
      throw new SignalboxError('gate-busy', `another process holds ${path.basename(file)}`, { retryAfter: 5 });
    }
    if (result.exitCode !== 0) {
      throw new SignalboxError('git-infrastructure', `flock failed: ${result.stderr}`);
    }
    return await action(handle.fd);
  } finally {
    await handle.close();
  }
}
