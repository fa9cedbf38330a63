/**
 * Stamps: what lstat says of a file, as text. Two equal stamps mean that nothing about it changed in between: the kernel
 * sets the change time (ctime) at every write, chmod, chown, link, rename and change of an attribute, and nobody can set
 * it back, unlike the modification time. That holds where the clock of the file system has moved on since the first
 * stamp was taken, and where it counts finer than seconds: `settled` sees to both.
 */
import { lstatSync, type BigIntStats } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than the kernel's clock for files stands still (a tick: 10 ms at most). */
const TICK_MS = 30;
const NS_PER_MS = 1_000_000n;

export const place = (path: string): Buffer => Buffer.from(path, 'latin1');
/** A path of ours in the same writing as the names in a tree. */
export const latin1 = (path: string): string => Buffer.from(path, 'utf8').toString('latin1');

export const look = (path: string): BigIntStats => lstatSync(place(path), { bigint: true });

export const stampOf = (s: BigIntStats): string =>
  s.isDirectory()
    ? `${s.dev}:${s.ino}:${s.mode}:${s.uid}:${s.ctimeNs}`
    : `${s.dev}:${s.ino}:${s.mode}:${s.uid}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`;

/** Takes stamps, and knows the newest of them. */
export class Stamper {
  #newest = 0n;
  #fine = false;

  take(s: BigIntStats): string {
    if (s.ctimeNs > this.#newest) this.#newest = s.ctimeNs;
    if (s.ctimeNs % NS_PER_MS !== 0n) this.#fine = true;
    return stampOf(s);
  }

  /** Waits until whatever is changed from now on gets another stamp. False where the file system cannot tell. */
  async settled(): Promise<boolean> {
    const left = Number(this.#newest / NS_PER_MS) + TICK_MS - Date.now();
    // A clock that was set back.
    if (!this.#fine || left > 1000) return false;
    if (left > 0) await sleep(left);
    return true;
  }
}
