/** Starts what integration tests share, once per run: a Postgres with a migrated template database, and Temporal. */
import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres-server.js';
import { startTemporal } from './temporal-server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** postgres://…/postgres of the shared server. */
    postgresUrl: string;
    /** host:port of the shared Temporal dev server. */
    temporalAddress: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = await Promise.allSettled([startPostgres(), startTemporal()]);
  const stop = async (): Promise<void> => {
    const running = started.flatMap((server) => (server.status === 'fulfilled' ? [server.value] : []));
    await Promise.all(running.map((server) => server.stop()));
  };
  const [postgres, temporal] = started;
  if (postgres.status === 'rejected' || temporal.status === 'rejected') {
    await stop(); // one that did start would outlive the run
    const reasons: unknown[] = started.flatMap((server) =>
      server.status === 'rejected' ? [server.reason as unknown] : [],
    );
    throw new AggregateError(reasons, `the servers of the tests did not start: ${reasons.map(String).join('; ')}`);
  }
  project.provide('postgresUrl', postgres.value.url);
  project.provide('temporalAddress', temporal.value.address);
  return stop;
}
