/** What the activities about runs and checks of a host share. */
import type { PortRange } from '../../domain/settings.js';
import type { Pool } from '../../store/db.js';
import type { SecretLookup } from '../git/auth.js';
import type { GitHost } from '../git/host.js';
import type { HostPaths } from '../paths.js';

export interface AgentDeps {
  pool: Pool;
  paths: HostPaths;
  /** A variable of the host's environment. */
  lookup: SecretLookup;
  /** AGENT_STALE in milliseconds: silence after which a host counts as gone. */
  staleMs: number;
  checks: CheckLimits;
}

/** What the checks of a host share. */
export interface CheckLimits {
  /** WARM_EXPORTS: exports kept for the next check at most, of all repositories; 0 = none. */
  warmExports: number;
  /** WARM_EXPORT_BYTES: what they may hold together. */
  warmBytes: number;
  /** CHECK_PORTS. */
  ports: PortRange;
}

export interface AgentHost extends AgentDeps {
  git: GitHost;
}

/** All that a command inherits from the host; credentials and settings of ours are not among them. */
const ALLOWED = ['PATH', 'HOME', 'LANG', 'TZ', 'TERM', 'TMPDIR'];
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function baseEnvironment(lookup: SecretLookup): Record<string, string> {
  const found = ALLOWED.flatMap((name) => {
    const value = lookup(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { PATH: DEFAULT_PATH, GIT_CONFIG_NOSYSTEM: '1', ...Object.fromEntries(found) };
}
