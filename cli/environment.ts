/**
 * The only place that reads the process environment. Everything else gets what it needs from here, as values.
 */
import os from 'node:os';
import path from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SignalboxError } from '../domain/errors.js';
import { parseSettings, type Settings } from '../domain/settings.js';
import type { TemporalTarget } from '../worker/temporal.js';

export type Variables = Readonly<Record<string, string | undefined>>;

export interface Environment {
  variables: Variables;
  settings: Settings;
  /** An existing Postgres; null = the embedded one. */
  databaseUrl: string | null;
  /** An existing Temporal service; null = the embedded one. */
  temporal: TemporalTarget | null;
  /** Absolute. */
  dataDir: string;
  /** Where fetched and unpacked programs are kept. */
  cacheDir: string;
}

/**
 * Reads everything once; refuses bad values by name.
 * @param given options of the command line, by the name of the variable that they stand before
 */
export function readEnvironment(given: Variables = {}): Environment {
  return environmentOf({ ...process.env, ...defined(given) });
}

export function environmentOf(variables: Variables): Environment {
  return {
    variables,
    settings: parseSettings(variables),
    databaseUrl: databaseUrl(variables),
    temporal: temporalTarget(variables),
    dataDir: dataDirOf(variables),
    cacheDir: path.join(
      valueOf(variables, 'XDG_CACHE_HOME') ?? path.join(valueOf(variables, 'HOME') ?? os.homedir(), '.cache'),
      'signalbox',
    ),
  };
}

/** What commands that speak to a running instance need: they care for no settings. */
export function readInstance(): { api: string | undefined; token: string | undefined; dataDir: string } {
  const { env } = process;
  const named = (name: string): string | undefined => valueOf(env, name) ?? undefined;
  return { api: named('SIGNALBOX_API'), token: named('SIGNALBOX_TOKEN'), dataDir: dataDirOf(env) };
}

const dataDirOf = (variables: Variables): string =>
  path.resolve(valueOf(variables, 'SIGNALBOX_DATA_DIR') ?? '.signalbox');

/** A variable's value; an empty one counts as not set. */
function valueOf(variables: Variables, name: string): string | null {
  const value = variables[name];
  return value === undefined || value === '' ? null : value;
}

function databaseUrl(variables: Variables): string | null {
  const url = valueOf(variables, 'DATABASE_URL');
  if (url !== null && !/^postgres(ql)?:\/\//.test(url)) {
    throw new SignalboxError('invalid-setting', 'DATABASE_URL: allowed: postgres://user:password@host:port/database');
  }
  return url;
}

/**
 * Temporal's own environment configuration (TEMPORAL_ADDRESS, _NAMESPACE, _API_KEY, _TLS_*, profiles). A configuration
 * file counts only when a variable names it or its profile: a file that happens to lie in the home directory must not
 * turn `signalbox up` into a client of somebody's cluster.
 */
function temporalTarget(variables: Variables): TemporalTarget | null {
  const named = valueOf(variables, 'TEMPORAL_CONFIG_FILE') ?? valueOf(variables, 'TEMPORAL_PROFILE');
  if (valueOf(variables, 'TEMPORAL_ADDRESS') === null && named === null) return null;
  const profile = valueOf(variables, 'TEMPORAL_PROFILE');
  const config = loadClientConnectConfig({
    disableFile: named === null,
    overrideEnvVars: defined(variables),
    ...(profile === null ? {} : { profile }),
  });
  if (config.connectionOptions.address === undefined) {
    throw new SignalboxError('invalid-setting', 'TEMPORAL_ADDRESS is not set, and the named profile has no address');
  }
  return {
    address: config.connectionOptions.address,
    namespace: config.namespace ?? 'default',
    connectionOptions: config.connectionOptions,
  };
}

function defined(variables: Variables): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter((e): e is [string, string] => e[1] !== undefined));
}
