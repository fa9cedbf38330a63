/** The activities of a host about agents and checks, wired once by the worker. */
import type { AgentActivities, CheckActivities, GitActivities } from '../../workflows/activities.js';
import { runCheck } from '../checks/run-check.js';
import { asActivities } from '../failure.js';
import { gitHostFor } from '../git/index.js';
import { cleanUpTask } from './clean-up.js';
import type { AgentDeps, AgentHost } from './host.js';
import { janitor, type JanitorReport } from './janitor.js';
import { runAgent } from './run.js';
import { stopRun } from './stop.js';

export interface AgentHostActivities {
  /** For the host's agent queue. */
  agent: AgentActivities;
  /** For the host's check queue. */
  check: CheckActivities;
  /** For the host's git queue, beside those of activities/git. */
  git: Pick<GitActivities, 'stopRun' | 'cleanUpTask'>;
  /** To be called at start and every minute. */
  janitor(): Promise<JanitorReport>;
}

export function createAgentActivities(deps: AgentDeps): AgentHostActivities {
  const host: AgentHost = { ...deps, git: gitHostFor(deps) };
  return {
    agent: asActivities<AgentActivities>({ runAgent: (input) => runAgent(host, input) }),
    check: asActivities<CheckActivities>({ runCheck: (input, attempt) => runCheck(host, input, attempt) }),
    git: asActivities<AgentHostActivities['git']>({
      stopRun: (runId, reason, graceMs) => stopRun(host, runId, reason, graceMs),
      cleanUpTask: (repo, workItem) => cleanUpTask(host, repo, workItem),
    }),
    janitor: () => janitor(host),
  };
}
