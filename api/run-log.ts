/**
 * The output of a run, as its supervisor wrote it. Agents may run as our own user, so the file is taken only if it is a
 * regular file below the runs directory, opened without following a link.
 */
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../domain/errors.js';

export interface ByteRange {
  start: number;
  /** Last byte, included. */
  end: number;
}

const noLog = (detail: string): SignalboxError => new SignalboxError('not-found', detail);

/** Opens the log for reading; the caller closes it. Throws `not-found` when it is gone or on another host. */
export async function openLog(runsDir: string, logPath: string | null): Promise<FileHandle> {
  if (logPath === null) throw noLog('the run has no log yet');
  const absolute = path.resolve(runsDir, logPath);
  try {
    const directory = await realpath(path.dirname(absolute));
    const root = await realpath(runsDir);
    if (!directory.startsWith(root + path.sep)) throw noLog('the log is not on this machine');
    const file = await open(
      path.join(directory, path.basename(absolute)),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw noLog('the log is not a regular file');
  } catch (err) {
    if (err instanceof SignalboxError) throw err;
    throw new SignalboxError('not-found', 'the log is not on this machine, or was cleaned up', {}, { cause: err });
  }
}

/** One `Range: bytes=…`; null for the whole. Throws `range-not-satisfiable`; a form we do not know is ignored (RFC 9110). */
export function readRange(header: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return null;
  const [from, to] = [match[1] ?? '', match[2] ?? ''];
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (start >= size || end < start) {
    throw new SignalboxError('range-not-satisfiable', `the log has ${size} bytes`, { size });
  }
  return { start, end };
}

/** How many of the last bytes begin a character that is not complete. */
function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

/** Text from an offset on, whole characters only (unless `last`); `bytes` is how far to go on. */
export async function readText(
  file: FileHandle,
  offset: number,
  limit: number,
  last: boolean,
): Promise<{ text: string; bytes: number }> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(limit), 0, limit, offset);
  const read = buffer.subarray(0, bytesRead);
  const keep = last && bytesRead < limit ? 0 : incompleteTail(read);
  const whole = read.subarray(0, bytesRead - keep);
  return { text: whole.toString('utf8'), bytes: whole.length };
}
