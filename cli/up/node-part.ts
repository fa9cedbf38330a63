/** Our own Node processes (worker, API) as parts of the stack: they report over a channel when they are ready. */
import { entrypoint } from '../../activities/entrypoint.js';
import { SignalboxError } from '../../domain/errors.js';
import { spawnDetached } from '../detached.js';
import { endProcess, type EndSteps } from '../processes.js';
import type { RunningPart } from './child.js';

/** What a child says once it works. */
export interface ReadyMessage {
  ready: true;
  /** The API's. */
  port?: number;
}

export interface NodePartOptions {
  /** Arguments of the signalbox command. */
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  logFile: string;
  endSteps: EndSteps;
  readyMs: number;
}

export interface NodePart extends RunningPart {
  ready: ReadyMessage;
}

export async function startNodePart(options: NodePartOptions): Promise<NodePart> {
  const {
    process: ref,
    child,
    ended,
  } = await spawnDetached({
    file: process.execPath,
    args: ['--enable-source-maps', entrypoint('cli/main'), ...options.args],
    cwd: options.cwd,
    env: options.env,
    logFile: options.logFile,
    ipc: true,
  });
  const stop = async (): Promise<void> => {
    await endProcess(ref, options.endSteps);
  };
  const ready = await new Promise<ReadyMessage | string>((resolve) => {
    child.on('message', (message) => resolve(message as ReadyMessage));
    void ended.then((end) => resolve(`it ended (${end})`));
    setTimeout(() => resolve(`it was not ready within ${options.readyMs / 1000} s`), options.readyMs).unref();
  });
  if (typeof ready === 'string') {
    await stop();
    throw new SignalboxError('start-failed', `${options.args[0] ?? ''}: ${ready}; log: ${options.logFile}`);
  }
  return { process: ref, ended, stop, ready };
}

/** Says to the parent, if there is one, that this process works. It may have died meanwhile, which is no matter. */
export function reportReady(message: ReadyMessage): void {
  if (process.connected) process.send?.(message, undefined, {}, () => undefined);
}
