/**
 * Who waits for an agent whose host is gone waits for that host. The workflow hears of it from another host's worker;
 * where there is none, the row still says `agent`, so presence is looked at when somebody asks.
 */
import { waitingForHost } from '../domain/pipeline/waiting.js';
import { taskName, type Waiting } from '../domain/tasks.js';
import { listHosts } from '../store/hosts.js';
import type { Task } from '../store/tasks.js';
import type { ExplainLink } from '../workflows/messages.js';
import type { ApiDeps } from './deps.js';

/** Host id → since when it is not heard of; only those that are away. */
async function hostsAway({ pool, settings }: ApiDeps): Promise<Map<string, string>> {
  const hosts = await listHosts(pool, settings.AGENT_STALE);
  const silent = hosts.filter((host) => Date.now() - Date.parse(host.lastSeenAt) >= settings.AGENT_STALE);
  return new Map(silent.map((host) => [host.id, host.lastSeenAt]));
}

/** The tasks, those on a host that is away shown as waiting for it. */
export async function withPresence(deps: ApiDeps, tasks: Task[]): Promise<Task[]> {
  if (!tasks.some((task) => task.waitingOn?.kind === 'agent')) return tasks;
  const away = await hostsAway(deps);
  return tasks.map((task) => {
    const { waitingOn } = task;
    if (waitingOn?.kind !== 'agent') return task;
    const since = away.get(waitingOn.links['host'] ?? '');
    if (since === undefined) return task;
    const now = waitingForHost(waitingOn, taskName(task.repo, task.workItem), since);
    return { ...task, state: 'waiting', agentRunning: null, waitingOn: now };
  });
}

/** The same for the nearest link of an explanation. */
export async function linkWithPresence(deps: ApiDeps, task: Task, link: ExplainLink): Promise<ExplainLink> {
  if (link.kind !== 'agent') return link;
  const since = (await hostsAway(deps)).get(link.links['host'] ?? '');
  if (since === undefined) return link;
  const works: Waiting = { ...link, kind: 'agent', code: null, artifact: null };
  const { kind, detail, unblockedBy } = waitingForHost(works, taskName(task.repo, task.workItem), since);
  return { ...link, kind, since, detail, unblockedBy };
}
