import os from 'node:os';
import { SignalboxError } from '../domain/errors.js';
import type { TemporalTarget } from '../worker/temporal.js';
import type { Environment } from './environment.js';

/** The existing services that a part which runs alone needs. */
export function requireServices(environment: Environment): { databaseUrl: string; temporal: TemporalTarget } {
  const { databaseUrl, temporal } = environment;
  if (databaseUrl === null || temporal === null) {
    const missing = databaseUrl === null ? 'DATABASE_URL' : 'TEMPORAL_ADDRESS';
    throw new SignalboxError('start-failed', `${missing} is not set (signalbox up brings Postgres and Temporal along)`);
  }
  return { databaseUrl, temporal };
}

/** The id of this host: the setting, else the machine's name as an id. */
export function hostId(setting: string | null): string {
  if (setting !== null) return setting;
  const name = os
    .hostname()
    .toLowerCase()
    .replace(/[^a-z0-9._-]/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);
  return name === '' ? 'host' : name;
}
