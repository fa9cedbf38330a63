/**
 * Files at names where an agent or a check can write. What lies there may be anything: a FIFO that nobody writes to, a
 * link, a directory, a sparse file of terabytes, or something that changes while it is read. So such a name is opened
 * here only: a regular file, without following a link, without waiting, and never more of it than asked for. Whatever
 * else is there, nobody of ours wrote it. Node built-ins only: the shim loads this.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readSync, renameSync } from 'node:fs';
import { unlinkSync } from 'node:fs';
import path from 'node:path';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Failures that say something about the host and nothing about the file. */
const OF_THE_HOST = ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO'];
/** What a name that cannot be opened for writing gives when something else than a file of ours lies there. */
const IN_THE_WAY = ['ELOOP', 'ENXIO', 'EISDIR', 'EACCES', 'EPERM', 'EAGAIN', 'ETXTBSY'];

export type Plain<T> =
  | { kind: 'file'; value: T }
  | { kind: 'absent' }
  /** Why it is not taken, as the end of a sentence: `is a symbolic link`. */
  | { kind: 'refused'; reason: string };

/** errno name of an error of node:fs or node:child_process, or null. */
export function errno(err: unknown): string | null {
  return err instanceof Error && 'code' in err && typeof err.code === 'string' ? err.code : null;
}

function withPlain<T>(file: string, use: (fd: number, size: number) => Plain<T>): Plain<T> {
  let fd: number;
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (err) {
    const code = errno(err);
    if (code === null || OF_THE_HOST.includes(code)) throw err;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' };
    if (code === 'ELOOP') return { kind: 'refused', reason: 'is a symbolic link' };
    return { kind: 'refused', reason: code === 'ENXIO' ? 'is not a regular file' : `cannot be opened (${code})` };
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() ? use(fd, stat.size) : { kind: 'refused', reason: 'is not a regular file' };
  } finally {
    closeSync(fd);
  }
}

/** What is there of `length` bytes from `position` on: less where the file ends sooner by now. */
function readPart(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const got = readSync(fd, buffer, read, length - read, position + read);
    if (got === 0) break;
    read += got;
  }
  return buffer.subarray(0, read);
}

/** The whole content of a file of at most `most` bytes. */
export function readPlain(file: string, most: number): Plain<Buffer> {
  return withPlain(file, (fd, size) =>
    size > most
      ? { kind: 'refused', reason: `has ${size} bytes; ${most} is the most` }
      : { kind: 'file', value: readPart(fd, 0, size) },
  );
}

/** The same as text; null where there is no such file. */
export function plainText(file: string, most: number): string | null {
  const found = readPlain(file, most);
  return found.kind === 'file' ? found.value.toString('utf8') : null;
}

/** The last `most` bytes of a file as text, from the offset `from` on at the earliest; empty where there is no file. */
export function plainTail(file: string, from: number, most: number): string {
  const found = withPlain(file, (fd, size) => {
    const at = Math.max(from, size - most);
    return { kind: 'file', value: readPart(fd, at, Math.max(0, size - at)).toString('utf8') };
  });
  return found.kind === 'file' ? found.value : '';
}

/** Bytes of a file; 0 where there is none. */
export function plainSize(file: string): number {
  const found = withPlain(file, (_fd, size) => ({ kind: 'file', value: size }));
  return found.kind === 'file' ? found.value : 0;
}

/** Whether anything lies at a name, also a link that leads nowhere or what we may not look at. */
export function isTaken(file: string): boolean {
  try {
    lstatSync(file);
    return true;
  } catch (err) {
    return !['ENOENT', 'ENOTDIR'].includes(errno(err) ?? '');
  }
}

/** Whether a directory is there itself, not a link to one. */
export function isDirectory(dir: string): boolean {
  try {
    return lstatSync(dir).isDirectory();
  } catch {
    return false; // nothing is there, or nothing that we may look at: in no case a directory of ours
  }
}

/** Frees a name of ours; what lay there stays beside it. */
export function setAside(file: string): void {
  try {
    renameSync(file, `${file}.not-ours-${randomBytes(4).toString('hex')}`);
  } catch (err) {
    if (errno(err) !== 'ENOENT') throw err;
  }
}

/** Makes a directory unless it is there; what else lies at its name is set aside. */
export function makeDirectory(dir: string): void {
  if (isTaken(dir) && !isDirectory(dir)) setAside(dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
}

/** Opens a log to be appended to; what else lies at its name is set aside. The caller closes it. */
export function openLog(file: string): number {
  for (let tries = 0; ; tries += 1) {
    try {
      const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
      if (fstatSync(fd).isFile()) return fd;
      closeSync(fd);
    } catch (err) {
      if (tries > 0 || !IN_THE_WAY.includes(errno(err) ?? '')) throw err;
    }
    if (tries > 0) throw new Error(`${file} is not a regular file`);
    setAside(file);
  }
}

/** A new open file, for reading and writing, that has no name any more; the caller closes it. */
export function openNameless(dir: string): number {
  const file = path.join(dir, `.nameless-${randomBytes(8).toString('hex')}`);
  const fd = openSync(file, 'wx+', 0o600);
  try {
    unlinkSync(file);
    return fd;
  } catch (err) {
    closeSync(fd);
    throw err;
  }
}
