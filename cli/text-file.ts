import { readFile } from 'node:fs/promises';
import { UsageError } from './client.js';

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EISDIR: 'it is a directory',
};

/** The text of a file that an option names; `-` is standard input. */
export async function readTextFile(option: string, file: string): Promise<string> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch (err) {
    const { code = '', message } = err as NodeJS.ErrnoException;
    throw new UsageError(`${option} ${file}: ${REASONS[code] ?? message}`, { cause: err });
  }
}
