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
  const [postgres, temporal] = await Promise.all([startPostgres(), startTemporal()]);
  project.provide('postgresUrl', postgres.url);
  project.provide('temporalAddress', temporal.address);
  return async () => {
    await Promise.all([postgres.stop(), temporal.stop()]);
  };
}
