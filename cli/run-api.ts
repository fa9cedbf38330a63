/** The process of `signalbox api`. */
import { Client } from '@temporalio/client';
import { examineForge } from '../activities/forge/index.js';
import { adoptRemote, createGitReader, gitHostFor } from '../activities/git/index.js';
import { hostPaths } from '../activities/paths.js';
import { createServer } from '../api/server.js';
import { SignalboxError } from '../domain/errors.js';
import { instanceId } from '../store/instance.js';
import { createPool } from '../store/db.js';
import { migrate } from '../store/migrate.js';
import { connectTemporal, prepareTemporal } from '../worker/temporal.js';
import type { Environment } from './environment.js';
import { openLog } from './logging.js';
import { requireServices } from './services.js';
import { onStopSignal } from './signals.js';
import { reportReady } from './up/node-part.js';
import { version } from './version.js';

export interface ApiOptions {
  port: number;
  /** Address to listen on. */
  listen: string;
  allowHost: string[];
}

export async function runApi(environment: Environment, options: ApiOptions): Promise<void> {
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
    adoptRemote: async (request) => adoptRemote(git, { ...request, instance: await instanceId(pool) }),
    examineForge: async (repo) => examineForge(git.lookup, repo),
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
