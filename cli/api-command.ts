/** `signalbox api`: one API process, against existing services. */
import { InvalidArgumentError, type Command } from 'commander';
import { readEnvironment } from './environment.js';
import { portNumber } from './options.js';
import type { ApiOptions } from './run-api.js';

interface Options extends ApiOptions {
  dataDir?: string;
}

export function registerApiCommand(program: Command): void {
  program
    .command('api')
    .description('run the HTTP API alone, against the services of DATABASE_URL and TEMPORAL_ADDRESS')
    .option('--port <n>', 'port; 0 = a free one', portNumber, 7700)
    .option('--listen <address>', 'address to listen on; put a proxy with TLS before any but loopback', '127.0.0.1')
    .option('--allow-host <name>', 'answer for this host name too (again for more)', collect, [])
    .option(
      '--data-dir <dir>',
      'where gates are kept and run logs are read (default: SIGNALBOX_DATA_DIR or .signalbox)',
    )
    .action(async (options: Options) => {
      const { runApi } = await import('./run-api.js');
      await runApi(readEnvironment({ SIGNALBOX_DATA_DIR: options.dataDir }), options);
    });
}

function collect(name: string, names: string[]): string[] {
  if (!/^[A-Za-z0-9.-]+$/.test(name)) throw new InvalidArgumentError('a host name, without a port');
  return [...names, name];
}
