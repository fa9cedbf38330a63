/**
 * Shows what the parts write to their log files. They write to files and not to our pipes, because they outlive us. A
 * file that grew too large is cut (its beginning is kept once, as `.1`); the parts append, so they go on writing.
 */
import { copyFile, open, stat, truncate } from 'node:fs/promises';

const EVERY_MS = 200;
const LIMIT_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** Follows files from their present end; returns what stops it after a last look. */
export async function followFiles(
  files: readonly string[],
  write: (text: string) => void,
): Promise<() => Promise<void>> {
  const offsets = new Map<string, number>();
  for (const file of files) offsets.set(file, await sizeOf(file));
  let busy = Promise.resolve();
  const look = async (): Promise<void> => {
    for (const file of files) {
      const size = await sizeOf(file);
      const from = Math.min(offsets.get(file) ?? 0, size);
      const { text, next } = size > from ? await readLines(file, from, size) : { text: '', next: from };
      if (text !== '') write(text);
      offsets.set(file, next);
      if (size > LIMIT_BYTES) {
        await copyFile(file, `${file}.1`);
        await truncate(file, 0);
        offsets.set(file, 0);
      }
    }
  };
  const timer = setInterval(() => {
    busy = busy.then(look);
  }, EVERY_MS);
  return async () => {
    clearInterval(timer);
    await busy;
    await look();
  };
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    (found) => found.size,
    () => 0, // not written yet
  );
}

/** Whole lines only, so that those of two parts do not mix. */
async function readLines(file: string, from: number, to: number): Promise<{ text: string; next: number }> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(to - from, CHUNK_BYTES)), 0, undefined, from);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
    const whole = end === 0 && bytesRead === CHUNK_BYTES ? bytesRead : end;
    return { text: buffer.toString('utf8', 0, whole), next: from + whole };
  } finally {
    await handle.close();
  }
}
