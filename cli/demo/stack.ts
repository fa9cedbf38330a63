/** Starts `signalbox up` for the demo as a user would, and ends it. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { entrypoint } from '../../activities/entrypoint.js';
import { SignalboxError } from '../../domain/errors.js';

export interface DemoStack {
  api: string;
  token: string;
  ui: string;
  /** Address of the Temporal server. */
  temporal: string;
  /** Address of the database, password and all. */
  database: string;
  /** Ends the stack and its agents; resolves when it is down. */
  stop: () => Promise<void>;
}

export interface StackOptions {
  /** Its progress lines do not go to stderr. */
  quiet: boolean;
  /**
   * Ctrl-C reaches the caller alone, who has to stop the stack: `up` takes a second signal (ours, after the terminal's)
   * as "end at once" and would leave its servers.
   */
  ownGroup: boolean;
  /** Ends a start that nobody waits for any more. */
  cancel?: AbortSignal;
  /** Further variables. */
  env?: Readonly<Record<string, string>>;
}

interface ReadyLine {
  api: string;
  token: string;
  ui: string;
  temporal: string;
  database: string;
}

/** Resolves when the stack says that it is ready; throws when it ends before that. */
export async function startStack(dataDir: string, options: StackOptions): Promise<DemoStack> {
  const args = [
    'up',
    '--json',
    '--stop-agents',
    '--data-dir',
    dataDir,
    '--port',
    '0',
    '--temporal-port',
    '0',
    '--ui-port',
    '0',
  ];
  const child = execa(process.execPath, [entrypoint('cli/main'), ...args], {
    env: { SIGNALBOX_LOG_LEVEL: 'warn', SIGNALBOX_AGENT_SLOTS: '4', ...options.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: options.quiet ? 'ignore' : 'inherit',
    buffer: false,
    reject: false,
    detached: options.ownGroup,
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await child;
  };
  const cancel = (): void => void child.kill('SIGTERM');
  options.cancel?.addEventListener('abort', cancel, { once: true });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), child.then(() => null)]);
  if (first === null) throw new SignalboxError('start-failed', 'signalbox up ended before it was ready');
  options.cancel?.removeEventListener('abort', cancel);
  const { api, token, ui, temporal, database } = JSON.parse(String(first[0])) as ReadyLine;
  return { api, token, ui, temporal, database, stop };
}
