/** `signalbox up`: its options. */
import type { Command } from 'commander';
import { portNumber } from '../options.js';
import type { UpCommandOptions } from './run-up.js';

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
    .action(async (options: UpCommandOptions) => {
      const { runUp } = await import('./run-up.js');
      await runUp(options);
    });
}
