/** Everything a worker does for workflows, by queue, from the parts that do it. */
import type { Client } from '@temporalio/client';
import { createAgentActivities } from '../activities/agents/index.js';
import type { JanitorReport } from '../activities/agents/janitor.js';
import { createForgeActivities } from '../activities/forge/index.js';
import { createGitActivities, gitHostFor } from '../activities/git/index.js';
import { hostPaths } from '../activities/paths.js';
import { resolveTreeBy } from '../activities/records/resolve-tree.js';
import { createRecordActivities } from '../activities/records/index.js';
import type { Settings } from '../domain/settings.js';
import type { Pool } from '../store/db.js';
import type { AgentActivities, CheckActivities, GitActivities, RecordActivities } from '../workflows/activities.js';

export interface ActivityDeps {
  pool: Pool;
  client: Client;
  settings: Settings;
  queuePrefix: string;
  dataDir: string;
  /** The environment of this process. */
  variables: Readonly<Record<string, string | undefined>>;
}

export interface HostActivities {
  records: RecordActivities;
  git: GitActivities;
  agent: AgentActivities;
  check: CheckActivities;
  /** To be called at start and every minute. */
  janitor: () => Promise<JanitorReport>;
}

export function createActivities(deps: ActivityDeps): HostActivities {
  const { pool, client, settings, queuePrefix, variables } = deps;
  const host = { pool, paths: hostPaths(deps.dataDir), lookup: (name: string) => variables[name] };
  const checks = {
    warmExports: settings.WARM_EXPORTS,
    warmBytes: settings.WARM_EXPORT_BYTES,
    ports: settings.CHECK_PORTS,
  };
  const agents = createAgentActivities({ ...host, staleMs: settings.AGENT_STALE, checks });
  const git = gitHostFor(host);
  const resolveTree = resolveTreeBy(git);
  return {
    records: createRecordActivities({ pool, client, settings, queuePrefix, resolveTree }),
    git: { ...createGitActivities(host), ...agents.git, ...createForgeActivities(git, pool) },
    agent: agents.agent,
    check: agents.check,
    janitor: async () => agents.janitor(),
  };
}
