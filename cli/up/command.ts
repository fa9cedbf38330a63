/** The command around the stack: options, what is printed, signals. */
import path from 'node:path';
import type { Command } from 'commander';
import { readEnvironment } from '../environment.js';
import { openLog } from '../logging.js';
import { portNumber } from '../options.js';
import { onStopSignal } from '../signals.js';
import type { UpState } from './files.js';
import { followFiles } from './follow.js';
import { stopAgents } from './stop-agents.js';
import { startStack } from './up.js';

interface Options {
  dataDir?: string;
  port: number;
  temporalPort: number;
  uiPort: number;
  hostId?: string;
  json?: true;
  stopAgents?: true;
}

export function registerUpCommand(program: Command): void {
  program
    .command('up')
    .description('start everything in this terminal: Postgres, Temporal with its Web UI, worker and API')
    .option('--data-dir <dir>', 'where everything is kept (default: SIGNALBOX_DATA_DIR or .signalbox)')
    .option('--port <n>', 'port of the API; 0 = a free one', portNumber, 7700)
    .option('--temporal-port <n>', 'port of the Temporal server; 0 = a free one', portNumber, 7233)
    .option('--ui-port <n>', 'port of the Temporal Web UI; 0 = a free one', portNumber, 8233)
    .option('--host-id <id>', 'stable name of this machine (default: SIGNALBOX_HOST_ID or its host name)')
    .option('--json', 'print one line of JSON when ready; logs go to stderr')
    .option('--stop-agents', 'when stopping, end running agents too (else they go on and are taken up again)')
    .addHelpText(
      'after',
      `
Set DATABASE_URL or TEMPORAL_ADDRESS (and Temporal's own variables) to use existing services instead.
Ctrl-C stops in order within 10 s. After a crash, just start it again on the same data directory.`,
    )
    .action(async (options: Options) => {
      await up(options);
    });
}

async function up(options: Options): Promise<void> {
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
