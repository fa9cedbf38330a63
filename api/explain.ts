/**
 * The chain of what a task waits for, the nearest first: its own link from its workflow (or its row, when no worker
 * answers in two seconds), then what stands behind it, read from rows at the moment of asking.
 */
import type { Gate, QueueView } from '../domain/merge-queue/types.js';
import { taskName, TERMINAL_STATES } from '../domain/tasks.js';
import { waitsOfTask, type ExternalWait } from '../store/external-waits.js';
import { activeGates } from '../store/gates.js';
import { liveHosts } from '../store/hosts.js';
import { openEntriesOf } from '../store/merge-entries.js';
import { getQueueView } from '../store/merge-queues.js';
import { getTask, type Task } from '../store/tasks.js';
import { mergeQueueWorkflowId, taskWorkflowId } from '../workflows/ids.js';
import { explain, type ExplainLink } from '../workflows/messages.js';
import type { ApiDeps } from './deps.js';
import { linkWithPresence } from './presence.js';

const PATIENCE_MS = 2000;

export interface Explanation {
  chain: ExplainLink[];
  stale: boolean;
}

function rowLink(task: Task): ExplainLink[] {
  if (task.waitingOn === null) return [];
  const { kind, since, until, detail, unblockedBy, links } = task.waitingOn;
  return [{ kind, since, until, detail, unblockedBy, links }];
}

/** A task that is over waits for nothing: how it ended, and what landed. */
function endLink(task: Task, base: string): ExplainLink[] {
  const name = taskName(task.repo, task.workItem);
  const links = { task: taskWorkflowId(task.repo, task.workItem) };
  const { landed } = task;
  const detail =
    landed === null
      ? (task.endReason ?? task.state)
      : `landed on ${base} as ${landed.commit}, checked on ${landed.base}, at ${landed.at}`;
  const unblockedBy = task.state === 'done' ? [] : [`signalbox task retry ${name}`];
  return [{ kind: 'end', since: task.updatedAt, until: null, detail, unblockedBy, links }];
}

async function ownLink(deps: ApiDeps, task: Task): Promise<Explanation> {
  const handle = deps.temporal.workflow.getHandle(taskWorkflowId(task.repo, task.workItem));
  try {
    const answer = await deps.temporal.withDeadline(Date.now() + PATIENCE_MS, () => handle.query(explain));
    return { chain: answer.chain, stale: false };
  } catch {
    // No worker, no workflow yet, or Temporal away: all the same to who asks, and said by `stale`.
    return { chain: rowLink(task), stale: true };
  }
}

/** `fixes`: whoever may say of the task's entry that it is the fix can end the wait as well. */
const gateLink = (gate: Gate, fixes: string[]): ExplainLink => ({
  kind: 'freeze',
  since: gate.since,
  until: null,
  detail: `${gate.kind} of ${gate.base === null ? gate.repo : `${gate.repo} ${gate.base}`} (${gate.scope}) by ${gate.by}: ${gate.reason}`,
  unblockedBy:
    gate.kind === 'freeze' ? [`signalbox unfreeze ${gate.repo}`, ...fixes] : [`signalbox resume ${gate.repo}`],
  links: { repository: `/api/repos/${gate.repo}` },
});

/** The queue as a whole, and the landing that goes before. */
function queueLinks(view: QueueView, task: Task): ExplainLink[] {
  const workflow = mergeQueueWorkflowId(view.repo, view.base);
  const links = { workflow, queue: `/api/repos/${view.repo}/merge-queue?base=${encodeURIComponent(view.base)}` };
  const own = view.entries.find((e) => e.task === taskName(task.repo, task.workItem));
  const first = view.entries.find((e) => e.phase !== 'queued') ?? view.entries.find((e) => e.waitsFor == null);
  const out: ExplainLink[] = [];
  if (own !== undefined) {
    const place = `${own.phase}, position ${own.position} of ${view.entries.length} on ${view.base}`;
    const detail = own.detail === null ? place : `${place}: ${own.detail}`;
    const unblockedBy = own.waitsFor == null ? [workflow] : [own.waitsFor, workflow];
    out.push({ kind: 'merge-queue', since: own.since, until: null, detail, unblockedBy, links });
  }
  if (view.block !== null) {
    const { since, reason, clearedBy } = view.block;
    const unblockedBy = [clearedBy ?? 'a newer base'];
    out.push({ kind: 'merge-queue', since, until: null, detail: `blocked: ${reason}`, unblockedBy, links });
  }
  if (first !== undefined && own !== undefined && first.entry !== own.entry) {
    const detail = `${first.task} is before it: ${first.phase}${first.detail === null ? '' : `, ${first.detail}`}`;
    out.push({ kind: 'merge-queue', since: first.since, until: null, detail, unblockedBy: [first.task], links });
  }
  return out;
}

/** How deep a chain of tasks that come first is followed. */
const DEPTH = 20;

/** What each of the tasks that come first waits for itself, the nearest first; a task is asked once. */
async function dependencyLinks(deps: ApiDeps, task: Task, repos: readonly string[] | null): Promise<ExplainLink[]> {
  const out: ExplainLink[] = [];
  const asked = new Set([taskName(task.repo, task.workItem)]);
  let line = [task];
  for (let depth = 0; depth < DEPTH && line.length > 0; depth += 1) {
    const next: Task[] = [];
    for (const { repo, workItem } of line.flatMap((t) => t.dependsOn)) {
      const name = taskName(repo, workItem);
      const mayKnow = repos === null || repos.includes(repo);
      const found = asked.has(name) || !mayKnow ? null : await getTask(deps.pool, repo, workItem);
      asked.add(name);
      if (found === null || found.state === 'done') continue;
      const links = found.waitingOn === null ? endLink(found, '') : rowLink(found);
      out.push(...links.map((link) => ({ ...link, detail: `${name}: ${link.detail}` })));
      if (found.waitingOn?.kind === 'dependency') next.push(found);
    }
    line = next;
  }
  return out;
}

async function hostLinks(deps: ApiDeps, since: string): Promise<ExplainLink[]> {
  const alive = await liveHosts(deps.pool, deps.settings.AGENT_STALE);
  if (alive.length > 0) return [];
  const detail = 'no host is alive: no worker runs';
  return [{ kind: 'host', since, until: null, detail, unblockedBy: ['signalbox up', 'signalbox worker'], links: {} }];
}

/** What a forge is asked for, for the verdict that the task or its entry waits for. */
const forgeLink = (wait: ExternalWait): ExplainLink => ({
  ...{ kind: 'check', since: wait.since, until: wait.until },
  detail: `the forge is to say ${wait.context} of ${wait.sha}; ${wait.seen === null ? 'not looked yet' : `last seen: ${wait.seen}`}`,
  unblockedBy: [`the status ${wait.context} of ${wait.sha.slice(0, 12)} at the forge`],
  links: { workflow: wait.workflowId, ...(wait.seenUrl !== null && { status: wait.seenUrl }) },
});

/** `repos`: those that whoever asks may see; null = all. */
export async function explainTask(
  deps: ApiDeps,
  task: Task,
  base: string,
  repos: readonly string[] | null,
): Promise<Explanation> {
  if (TERMINAL_STATES.includes(task.state)) return { chain: endLink(task, base), stale: false };
  const own = await ownLink(deps, task);
  const first = own.chain[0];
  const nearest = first === undefined ? undefined : await linkWithPresence(deps, task, first);
  const behind: ExplainLink[] = [];
  if (nearest?.kind === 'merge-queue' || nearest?.kind === 'freeze') {
    const view = await getQueueView(deps.pool, task.repo, base);
    if (view !== null) behind.push(...queueLinks(view, task));
  }
  if (nearest?.kind === 'dependency') behind.push(...(await dependencyLinks(deps, task, repos)));
  if (nearest?.kind === 'merge-queue' || nearest?.kind === 'check') {
    behind.push(...(await waitsOfTask(deps.pool, task.repo, task.workItem)).map(forgeLink));
  }
  const [gates, entries] = await Promise.all([activeGates(deps.pool, task.repo, base), openEntriesOf(deps.pool, task)]);
  const waiting = entries.find((entry) => entry.base === base);
  const fixes = waiting === undefined ? [] : [`signalbox entry change ${task.repo} ${task.workItem} --fix`];
  // A freeze is nothing that its fix waits for.
  const holding = gates.filter((gate) => gate.kind !== 'freeze' || waiting?.fix !== true);
  behind.push(...holding.map((gate) => gateLink(gate, fixes)));
  if (nearest !== undefined && ['host', 'agent', 'check', 'start', 'merge-queue'].includes(nearest.kind)) {
    behind.push(...(await hostLinks(deps, nearest.since)));
  }
  const chain = nearest === undefined ? [] : [nearest, ...own.chain.slice(1)];
  return { chain: [...chain, ...behind], stale: own.stale };
}
