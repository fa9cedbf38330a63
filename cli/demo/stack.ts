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
  /** Ends the stack and its agents; resolves when it is down. */
  stop: () => Promise<void>;
}

interface ReadyLine {
  api: string;
  token: string;
  ui: string;
  temporal: string;
}

/** Resolves when the stack says that it is ready; its progress lines go to stderr unless `quiet`. */
export async function startStack(dataDir: string, quiet: boolean): Promise<DemoStack> {
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
    env: { SIGNALBOX_LOG_LEVEL: 'warn', SIGNALBOX_AGENT_SLOTS: '4' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: quiet ? 'ignore' : 'inherit',
    buffer: false,
    reject: false,
  });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), child.then(() => null)]);
  if (first === null) throw new SignalboxError('start-failed', 'signalbox up ended before it was ready');
  const { api, token, ui, temporal } = JSON.parse(String(first[0])) as ReadyLine;
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await child;
  };
  return { api, token, ui, temporal, stop };
}
