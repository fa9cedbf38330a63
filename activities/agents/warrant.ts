/**
 * How a worker and the supervisor it starts know each other. An agent that runs as our user can write any file of a run
 * directory, so nothing that decides is believed because it lies there: the supervisor gets its spec and a key through
 * an open file without a name, and signs its exit record with the key; the worker keeps the key, and where the run
 * began, in Postgres. Node built-ins only: the shim loads this.
 *
 * Limit: this holds against what an agent writes in directories, not against one that goes to the source. Without a
 * sandbox it runs as our user: what our user can read, it can (the password of the embedded Postgres in the data
 * directory, the worker's environment and memory where the kernel lets it), and so reach the keys. Where it runs as
 * another user, or in a sandbox, that way is closed.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import type { ExitRecord } from '../../domain/agents/exit.js';
import { openNameless } from './plain-file.js';
import type { SupervisedSpec } from './records.js';

export interface Warrant {
  spec: SupervisedSpec;
  /** Hex. */
  key: string;
}

/** Number of the file that a supervisor is given its warrant as. */
export const WARRANT_FD = 3;

export const newKey = (): string => randomBytes(32).toString('hex');

/** An open file that holds the warrant and has no name any more; the caller closes it. */
export function openWarrant(runDir: string, warrant: Warrant): number {
  const fd = openNameless(runDir);
  try {
    writeSync(fd, JSON.stringify(warrant), 0);
    return fd;
  } catch (err) {
    closeSync(fd);
    throw err;
  }
}

/** Reads the warrant that this process was started with, and closes it: the commands of the run get none. */
export function takeWarrant(): Warrant {
  const text = Buffer.alloc(fstatSync(WARRANT_FD).size);
  readSync(WARRANT_FD, text, 0, text.length, 0);
  closeSync(WARRANT_FD);
  return JSON.parse(text.toString('utf8')) as Warrant;
}

const macOf = (record: ExitRecord, key: string): Buffer =>
  createHmac('sha256', Buffer.from(key, 'hex'))
    .update(JSON.stringify({ ...record, mac: '' }))
    .digest();

export const signed = (record: ExitRecord, key: string): ExitRecord => ({
  ...record,
  mac: macOf(record, key).toString('hex'),
});

/** Whether the supervisor that got this key wrote the record, as it is. */
export function isSignedBy(record: ExitRecord, key: string): boolean {
  const mac = Buffer.from(typeof record.mac === 'string' ? record.mac : '', 'hex');
  const wanted = macOf(record, key);
  return mac.length === wanted.length && timingSafeEqual(mac, wanted);
}

/** SHA-256, hex. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
