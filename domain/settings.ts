import ms from 'ms';
import { SignalboxError, type Fault } from './errors.js';

/**
 * Every setting, once: its name without the `SIGNALBOX_` prefix, default, range and meaning. Durations are written
 * like `15m` and held as milliseconds. `parseSettings` is called once at start; the result is frozen.
 */
interface Spec<T> {
  default: string | null;
  meaning: string;
  parse: (text: string) => T;
}

const DURATION_MIN = 100;
const DURATION_MAX = 365 * 24 * 3600 * 1000;

/** Parses `100ms`, `15m`, `2 h`, `3d` into milliseconds; throws with what is allowed. */
export function parseDuration(text: string): number {
  const value = /^\d+(\.\d+)?\s?(ms|s|m|h|d|w)$/.test(text) ? ms(text as ms.StringValue) : NaN;
  if (!Number.isFinite(value) || value < DURATION_MIN || value > DURATION_MAX) {
    throw new RangeError('a duration like 100ms, 30s, 15m, 2h or 3d, from 100ms to 365d');
  }
  return value;
}

const duration = (fallback: string, meaning: string): Spec<number> => ({
  default: fallback,
  meaning,
  parse: parseDuration,
});

const integer = (fallback: string, min: number, max: number, meaning: string): Spec<number> => ({
  default: fallback,
  meaning,
  parse: (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) throw new RangeError(`a whole number from ${min} to ${max}`);
    return value;
  },
});

const pattern = (fallback: string | null, re: RegExp, allowed: string, meaning: string): Spec<string | null> => ({
  default: fallback,
  meaning,
  parse: (text) => {
    if (!re.test(text)) throw new RangeError(allowed);
    return text;
  },
});

export interface PortRange {
  first: number;
  /** Included. */
  last: number;
}

/** Ports of one check. */
export const PORTS_EACH = 10;

/** `23000-23999`; the first 1023 ports are the system's. */
const ports = (fallback: string, meaning: string): Spec<PortRange> => ({
  default: fallback,
  meaning,
  parse: (text) => {
    const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
    const range = { first: Number(match?.[1]), last: Number(match?.[2]) };
    if (range.first >= 1024 && range.last <= 65535 && range.last - range.first + 1 >= PORTS_EACH) return range;
    throw new RangeError(`FIRST-LAST from 1024 to 65535, at least ${PORTS_EACH} ports`);
  },
});

export const SETTINGS = {
  AGENT_STALE: duration('2m', 'silence after which a host or an agent counts as offline'),
  MERGE_LEASE: duration('15m', 'how long a publish may go without a heartbeat before another host may fence it'),
  BACKOFF_BASE: duration('10s', 'transient failures wait min(base*2^n, max), n from 1'),
  BACKOFF_MAX: duration('600s', 'longest backoff of a transient failure'),
  REPAIR_WAIT: duration('1h', 'how long an entry waits for the repair of another one that conflicts in the same paths'),
  MAX_ATTEMPTS: integer('2', 1, 100, 'faults allowed per stage and visit'),
  AGENT_SLOTS: integer('0', 0, 1000, 'agents at once on this host; 0 = number of cores'),
  CHECK_SLOTS: integer('0', 0, 1000, 'checks at once on this host; 0 = half the cores, at least one'),
  CHECK_PORTS: ports('23000-23999', 'ports for the checks of this machine, 10 for each that runs'),
  WARM_EXPORTS: integer('8', 0, 1000, 'exports kept on this host for the next check of the same repository; 0 = none'),
  WARM_EXPORT_BYTES: integer(
    '21474836480',
    0,
    2 ** 50,
    'disk that they may hold together, bytes; those unused for longest go first',
  ),
  MAX_BODY: integer('65536', 1024, 16 * 1024 * 1024, 'largest request body of the API, bytes'),
  HOST_ID: pattern(
    null,
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    '^[a-z0-9][a-z0-9._-]{0,63}$',
    'stable name of this host; default: the machine name',
  ),
  QUEUE_PREFIX: pattern(
    'signalbox',
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    '^[a-z0-9][a-z0-9._-]{0,63}$',
    'prefix of all task queues, one per environment',
  ),
  CRASH_AT: pattern(
    null,
    /^[a-z-]+:\d{1,3}$/,
    'NAME:N',
    'for tests: the worker dies when it reaches this point for the n-th time, once for each data directory',
  ),
  LOG_LEVEL: pattern(
    'info',
    /^(debug|info|warn|error|silent)$/,
    'debug, info, warn, error or silent',
    'least level that is logged',
  ),
} as const satisfies Record<string, Spec<unknown>>;

export type SettingName = keyof typeof SETTINGS;
type Parsed = { [K in SettingName]: ReturnType<(typeof SETTINGS)[K]['parse']> };
export type Settings = Readonly<Parsed>;

/** Reads all settings from an environment-like record (`SIGNALBOX_<NAME>`); refuses every bad value at once, by name. */
export function parseSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const faults: Fault[] = [];
  const out: Partial<Record<SettingName, unknown>> = {};
  for (const [name, spec] of Object.entries(SETTINGS) as [SettingName, Spec<unknown>][]) {
    const text = env[`SIGNALBOX_${name}`] ?? spec.default;
    if (text === null || text === '') {
      out[name] = null;
      continue;
    }
    try {
      out[name] = spec.parse(text);
    } catch (err) {
      faults.push({ field: `SIGNALBOX_${name}`, value: text, message: `allowed: ${(err as Error).message}` });
    }
  }
  if (faults.length > 0) {
    const lines = faults.map((f) => `${f.field}=${String(f.value)}: ${f.message}`);
    throw new SignalboxError('invalid-setting', lines.join('; '), { faults });
  }
  return Object.freeze(out) as Settings;
}
