/** The process of `signalbox worker`. */
import path from 'node:path';
import { armCrashPoint } from '../activities/crash-points.js';
import { startWorker } from '../worker/worker.js';
import type { Environment } from './environment.js';
import { openLog } from './logging.js';
import { hostId, requireServices } from './services.js';
import { onStopSignal } from './signals.js';
import { reportReady } from './up/node-part.js';

export async function runWorker(environment: Environment): Promise<void> {
  const { settings, dataDir } = environment;
  const { databaseUrl, temporal } = requireServices(environment);
  const { logger } = openLog(settings.LOG_LEVEL ?? 'info');
  const log = logger.child({ part: 'worker' });
  armCrashPoint(settings.CRASH_AT, path.join(dataDir, 'crashed-here'));
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
