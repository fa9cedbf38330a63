/** `signalbox api`: one API process, against existing services. */
import { Client } from '@temporalio/client';
import { InvalidArgumentError, type Command } from 'commander';
import { adoptRemote, createGitReader, gitHostFor } from '../activities/git/index.js';
import { hostPaths } from '../activities/paths.js';
import { createServer } from '../api/server.js';
import { SignalboxError } from '../domain/errors.js';
import { createPool } from '../store/db.js';
import { migrate } from '../store/migrate.js';
import { connectTemporal, prepareTemporal } from '../worker/temporal.js';
import { readEnvironment, type Environment } from './environment.js';
import { openLog } from './logging.js';
import { portNumber } from './options.js';
import { requireServices } from './services.js';
import { onStopSignal } from './signals.js';
import { reportReady } from './up/node-part.js';
import { version } from './version.js';

interface Options {
  port: number;
  listen: string;
  allowHost: string[];
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
      await runApi(readEnvironment({ SIGNALBOX_DATA_DIR: options.dataDir }), options);
    });
}

function collect(name: string, names: string[]): string[] {
  if (!/^[A-Za-z0-9.-]+$/.test(name)) throw new InvalidArgumentError('a host name, without a port');
  return [...names, name];
}

async function runApi(environment: Environment, options: Options): Promise<void> {
  const { settings, dataDir, variables } = environment;
  const { databaseUrl, temporal } = requireServices(environment);
  const logger = openLog(settings.LOG_LEVEL ?? 'info').logger.child({ part: 'api' });
  await migrate(databaseUrl);
  const pool = createPool(databaseUrl, {
    onIdleError: (err) => logger.warn({ err }, 'an idle connection to Postgres broke'),
  });
  const connection = await connectTemporal(temporal);
  await prepareTemporal(connection, temporal.namespace, false);
  const paths = hostPaths(dataDir);
  const git = gitHostFor({ paths, lookup: (name) => variables[name] });
  const app = await createServer({
    pool,
    temporal: new Client({ connection, namespace: temporal.namespace }),
    settings,
    adoptRemote: async (request) => adoptRemote(git, request),
    gitReader: createGitReader(git),
    version: version(),
    allowedHosts: options.allowHost,
    logger,
    runsDir: paths.runs,
  });
  await app.listen({ host: options.listen, port: options.port }).catch((err: unknown) => {
    throw new SignalboxError(
      'start-failed',
      `the API cannot listen on port ${options.port}: ${(err as Error).message}`,
    );
  });
  const stopped = onStopSignal();
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  reportReady({ ready: true, port });
  logger.info({ port }, 'ready');
  await stopped;
  await app.close();
  await Promise.all([pool.end(), connection.close()]);
  process.exit(0);
}
