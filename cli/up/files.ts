/** What `up` leaves in its data directory for other commands and for the next `up`. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ProcessRef } from '../processes.js';

/** up.json, mode 600, there while `up` lives (and after it was killed). */
export interface UpState extends ProcessRef {
  api: string;
  token: string;
  temporal: string;
  namespace: string;
  /** Null for an external Temporal service. */
  ui: string | null;
  database: string;
  dataDir: string;
  children: Record<string, ProcessRef>;
}

const upFile = (dataDir: string): string => path.join(dataDir, 'up.json');

export const writeUpState = async (state: UpState): Promise<void> =>
  writePrivate(upFile(state.dataDir), `${JSON.stringify(state, null, 2)}\n`);

/** What a predecessor that was killed left behind; null after an orderly stop. */
export async function readUpState(dataDir: string): Promise<UpState | null> {
  try {
    return JSON.parse(await readFile(upFile(dataDir), 'utf8')) as UpState;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT' || err instanceof SyntaxError) return null;
    throw err;
  }
}

export const removeUpState = async (dataDir: string): Promise<void> => rm(upFile(dataDir), { force: true });

/** Replaces a file as a whole, readable by us alone. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const fresh = `${file}.${process.pid}`;
  await writeFile(fresh, text, { mode: 0o600 });
  await rename(fresh, file);
}
