/** `signalbox worker`: one worker process for this host, against existing services. */
import type { Command } from 'commander';
import { startWorker } from '../worker/worker.js';
import { readEnvironment, type Environment } from './environment.js';
import { openLog } from './logging.js';
import { hostId, requireServices } from './services.js';
import { onStopSignal } from './signals.js';
import { reportReady } from './up/node-part.js';

export function registerWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker alone, against the services of DATABASE_URL and TEMPORAL_ADDRESS')
    .option('--host-id <id>', 'stable name of this machine (default: SIGNALBOX_HOST_ID or its host name)')
    .option('--data-dir <dir>', 'where clones, gates and runs are kept (default: SIGNALBOX_DATA_DIR or .signalbox)')
    .action(async (options: { hostId?: string; dataDir?: string }) => {
      await runWorker(readEnvironment({ SIGNALBOX_HOST_ID: options.hostId, SIGNALBOX_DATA_DIR: options.dataDir }));
    });
}

async function runWorker(environment: Environment): Promise<void> {
  const { settings, dataDir } = environment;
  const { databaseUrl, temporal } = requireServices(environment);
  const { logger } = openLog(settings.LOG_LEVEL ?? 'info');
  const log = logger.child({ part: 'worker' });
  const worker = await startWorker({
    databaseUrl,
    temporal,
    dataDir,
    hostId: hostId(settings.HOST_ID),
    settings,
    variables: environment.variables,
    log,
  });
  const stopped = onStopSignal();
  reportReady({ ready: true });
  log.info('ready');
  void stopped.then((signal) => {
    log.info(`${signal}: handing over`);
    worker.stop();
  });
  await worker.ended;
  process.exit(0);
}
