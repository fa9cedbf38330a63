/** `signalbox worker`: one worker process for this host, against existing services. */
import type { Command } from 'commander';
import { readEnvironment } from './environment.js';

export function registerWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker alone, against the services of DATABASE_URL and TEMPORAL_ADDRESS')
    .option('--host-id <id>', 'stable name of this machine (default: SIGNALBOX_HOST_ID or its host name)')
    .option('--data-dir <dir>', 'where clones, gates and runs are kept (default: SIGNALBOX_DATA_DIR or .signalbox)')
    .action(async (options: { hostId?: string; dataDir?: string }) => {
      const given = { SIGNALBOX_HOST_ID: options.hostId, SIGNALBOX_DATA_DIR: options.dataDir };
      // Loaded when it is wanted: other commands need not wait for the whole SDK.
      const { runWorker } = await import('./run-worker.js');
      await runWorker(readEnvironment(given));
    });
}
