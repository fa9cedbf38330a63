/** The git activities of a host, wired to Postgres and to the activity that runs them. */
import { Context } from '@temporalio/activity';
import type { GitActivities } from '../../workflows/activities.js';
import type { Pool } from '../../store/db.js';
import type { HostPaths } from '../paths.js';
import { claimBranch } from '../../store/pull-requests.js';
import type { Announcing } from './head-branch.js';
import { awaitRecordedBy } from '../forge/await-recorded.js';
import type { SecretLookup } from './auth.js';
import { createGitHost, type GitHost } from './host.js';
import { createLandings } from './landing.js';
import { scanConflicts } from './predict.js';
import { landingRecords } from './records.js';

export { adoptRemote } from './adopt.js';
export { sourceTree } from './export.js';
export { type GitHost } from './host.js';
export { createGitReader } from './reader.js';

export interface GitDeps {
  pool: Pool;
  paths: HostPaths;
  /** A variable of the host's environment: PATH, and what `auth.ref` names. */
  lookup: SecretLookup;
}

/** How often a long step says that it lives, milliseconds; the heartbeat timeout of publishing is 30 s. */
const HEARTBEAT_MS = 5_000;

/** The git machinery of this host, for activities of other folders (clones, imports, exports). */
export function gitHostFor(deps: Pick<GitDeps, 'paths' | 'lookup'>): GitHost {
  return createGitHost({ ...deps, heartbeat });
}

/** All git activities but those about runs, which the agents folder has. */
export function createGitActivities(
  deps: GitDeps,
): Pick<GitActivities, 'prepareLanding' | 'publishLanding' | 'fenceLanding' | 'predictConflicts'> {
  const host = gitHostFor(deps);
  const announcing: Announcing = {
    claim: (...claim) => claimBranch(deps.pool, ...claim),
    recorded: awaitRecordedBy(deps.lookup),
  };
  const landings = createLandings(host, landingRecords(deps.pool), stopRequested, announcing);
  return {
    prepareLanding: (...args) => beating(() => landings.prepareLanding(...args)),
    publishLanding: (...args) => beating(() => landings.publishLanding(...args)),
    fenceLanding: (...args) => beating(() => landings.fenceLanding(...args)),
    predictConflicts: (repo, base) => beating(() => scanConflicts(host, deps.pool, repo, base)),
  };
}

/** The activity that runs this code; null outside of one. */
function current(): Context | null {
  try {
    return Context.current();
  } catch {
    // Thrown outside of an activity: the API and tests call this code too.
    return null;
  }
}

function heartbeat(step: string): void {
  current()?.heartbeat(step);
}

function stopRequested(): void {
  current()?.cancellationSignal.throwIfAborted();
}

async function beating<T>(action: () => Promise<T>): Promise<T> {
  const context = current();
  const timer = setInterval(() => context?.heartbeat('git'), HEARTBEAT_MS);
  try {
    return await action();
  } finally {
    clearInterval(timer);
  }
}
