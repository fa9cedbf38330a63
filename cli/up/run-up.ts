/** The process of `signalbox up`: what is printed, and signals. */
import path from 'node:path';
import { readEnvironment } from '../environment.js';
import { openLog } from '../logging.js';
import { onStopSignal } from '../signals.js';
import type { UpState } from './files.js';
import { followFiles } from './follow.js';
import { stopAgents } from './stop-agents.js';
import { startStack } from './up.js';

export interface UpCommandOptions {
  dataDir?: string;
  port: number;
  temporalPort: number;
  uiPort: number;
  hostId?: string;
  json?: true;
  stopAgents?: true;
}

export async function runUp(options: UpCommandOptions): Promise<void> {
  const environment = readEnvironment(options.hostId === undefined ? undefined : { SIGNALBOX_HOST_ID: options.hostId });
  const { logger, pass } = openLog(environment.settings.LOG_LEVEL ?? 'info');
  const log = (line: string): void => logger.info(line);
  const followers: (() => Promise<void>)[] = [];
  const stopped = onStopSignal();
  const dataDir = options.dataDir === undefined ? environment.dataDir : path.resolve(options.dataDir);
  const starting = startStack({
    environment,
    dataDir,
    port: options.port,
    temporalPort: options.temporalPort,
    uiPort: options.uiPort,
    hostId: environment.settings.HOST_ID,
    log,
    onLogFiles: async (files) => {
      followers.push(await followFiles(files, pass));
    },
  });
  try {
    const stack = await starting;
    process.stdout.write(options.json === true ? readyLine(stack.state) : readyText(stack.state));
    const signal = await stopped;
    logger.info(`${signal}: stopping; ${options.stopAgents === true ? 'agents are ended' : 'running agents go on'}`);
    await stack.stop();
    if (options.stopAgents === true) await stopAgents(stack.state.dataDir, log);
    logger.info('stopped');
  } finally {
    for (const stop of followers) await stop();
  }
  process.exit(0);
}

function readyLine(state: UpState): string {
  const { api, temporal, namespace, ui, database, token, dataDir } = state;
  return `${JSON.stringify({ ready: true, api, temporal, namespace, ui, database, token, dataDir })}\n`;
}

function readyText(state: UpState): string {
  return `
Signalbox is ready.
  API       ${state.api}   (its documentation: ${state.api}/docs)
  Web UI    ${state.ui ?? `of the Temporal service at ${state.temporal}`}
  Temporal  ${state.temporal}, namespace ${state.namespace}
  Data      ${state.dataDir}
The other commands find this instance by its data directory. Ctrl-C stops it; running agents go on.

`;
}
