/**
 * The only place that reads the process environment. Everything else gets what it needs from here, as values.
 */
import { readFileSync } from 'node:fs';
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
  /** The instance that client commands speak to, when named by variables. */
  api: { url: string | null; token: string | null };
  /** Absolute. */
  dataDir: string;
  /** Where fetched and unpacked programs are kept. */
  cacheDir: string;
}

/**
 * Reads everything once; refuses bad values by name.
 * @param variables the process environment, or a test's
 */
export function readEnvironment(variables: Variables = process.env): Environment {
  return {
    variables,
    settings: parseSettings(variables),
    databaseUrl: databaseUrl(variables),
    temporal: temporalTarget(variables),
    api: { url: given(variables, 'SIGNALBOX_API'), token: given(variables, 'SIGNALBOX_TOKEN') },
    dataDir: path.resolve(given(variables, 'SIGNALBOX_DATA_DIR') ?? '.signalbox'),
    cacheDir: path.join(
      given(variables, 'XDG_CACHE_HOME') ?? path.join(given(variables, 'HOME') ?? os.homedir(), '.cache'),
      'signalbox',
    ),
  };
}

/** Resolves `env:NAME` and `file:PATH` references to secrets, at the moment of use. */
export function secretLookup(variables: Variables = process.env): (reference: string) => string {
  return (reference) => {
    const [kind, name] = splitReference(reference);
    if (kind === 'file') return readFileSync(name, 'utf8').replace(/\r?\n$/, '');
    const value = variables[name];
    if (value === undefined) {
      throw new SignalboxError('host-infrastructure', `the variable ${name} is not set on this host (${reference})`);
    }
    return value;
  };
}

function splitReference(reference: string): ['env' | 'file', string] {
  const match = /^(env|file):(.+)$/s.exec(reference);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new SignalboxError('not-acceptable', 'a secret is referred to as env:NAME or file:PATH');
  }
  return [match[1] === 'env' ? 'env' : 'file', match[2]];
}

/** A variable's value; an empty one counts as not set. */
function given(variables: Variables, name: string): string | null {
  const value = variables[name];
  return value === undefined || value === '' ? null : value;
}

function databaseUrl(variables: Variables): string | null {
  const url = given(variables, 'DATABASE_URL');
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
  const named = given(variables, 'TEMPORAL_CONFIG_FILE') ?? given(variables, 'TEMPORAL_PROFILE');
  if (given(variables, 'TEMPORAL_ADDRESS') === null && named === null) return null;
  const profile = given(variables, 'TEMPORAL_PROFILE');
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
