/**
 * Starts a server process in a session of its own with its output in a file: neither Ctrl-C, nor a closed terminal, nor
 * our own death reaches it. (Plain spawn: execa is made for children that end with their parent.)
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../domain/errors.js';
import { processRef, type ProcessRef } from './processes.js';

export interface DetachedOptions {
  file: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment of the process. */
  env: Readonly<Record<string, string | undefined>>;
  uid?: number;
  gid?: number;
  logFile: string;
  /** Opens a channel for messages from a Node child. */
  ipc?: boolean;
}

export interface Detached {
  process: ProcessRef;
  child: ChildProcess;
  /** Resolves when it has ended, with how. */
  ended: Promise<string>;
}

export async function spawnDetached(options: DetachedOptions): Promise<Detached> {
  mkdirSync(path.dirname(options.logFile), { recursive: true });
  const output = openSync(options.logFile, 'a', 0o600);
  const child = spawn(options.file, options.args, {
    cwd: options.cwd,
    env: options.env,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
    detached: true,
    stdio: options.ipc === true ? ['ignore', output, output, 'ipc'] : ['ignore', output, output],
  });
  closeSync(output);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${String(code)}` : `signal ${signal}`));
  });
  try {
    await once(child, 'spawn');
  } catch (err) {
    throw new SignalboxError(
      'start-failed',
      `${options.file} cannot be started: ${(err as Error).message}`,
      {},
      { cause: err },
    );
  }
  const pid = child.pid ?? 0;
  // One that has ended already is known by its id alone: nothing will ever be sent to it.
  return { process: processRef(pid) ?? { pid, startTime: 'ended' }, child, ended };
}
