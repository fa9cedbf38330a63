/** Tasks as answers show them. */
import type { Cost, Decision } from '../domain/tasks.js';
import { taskName } from '../domain/tasks.js';
import { pullRequestsOf, type PullRequestRow } from '../store/pull-requests.js';
import { costOf, taskCosts } from '../store/runs.js';
import type { Task } from '../store/tasks.js';
import { taskWorkflowId } from '../workflows/ids.js';
import type { ApiDeps } from './deps.js';
import { withPresence } from './presence.js';

export function showTask(task: Task, cost: Cost, pull: PullRequestRow | undefined) {
  return {
    repo: task.repo,
    workItem: task.workItem,
    task: taskName(task.repo, task.workItem),
    workflowId: taskWorkflowId(task.repo, task.workItem),
    title: task.title,
    description: task.description,
    source: task.source,
    externalId: task.externalId,
    state: task.state,
    stage: task.stage,
    agentRunning: task.agentRunning,
    branch: task.branch,
    head: task.head,
    priority: task.priority,
    maxAttempts: task.maxAttempts,
    pipeline: task.pipeline,
    dependsOn: task.dependsOn.map(({ repo, workItem, onFailure, stack }) => ({
      ...{ task: taskName(repo, workItem), onFailure, stack },
    })),
    stackBase: task.stackBase,
    waitingOn: task.waitingOn,
    landed: task.landed,
    pullRequest: showPullRequest(pull),
    endReason: task.endReason,
    counters: task.counters,
    humanSeconds: task.humanSeconds,
    cost,
    generation: task.generation,
    submittedBy: task.submittedBy,
    createdAt: task.createdAt,
    updatedAt: task.updatedAt,
  };
}

/** Null before the forge has one. `behind`: why it does not show the task as it is. */
const showPullRequest = (row: PullRequestRow | undefined) =>
  row?.number == null && row?.error == null
    ? null
    : { number: row.number, url: row.url, state: row.state, behind: row.error };

/** Tasks with their costs, read in one go. */
export async function showTasks(deps: ApiDeps, tasks: Task[]) {
  const names = tasks.map((task) => taskName(task.repo, task.workItem));
  const [costs, shown, pulls] = await Promise.all([
    taskCosts(deps.pool, tasks),
    withPresence(deps, tasks),
    pullRequestsOf(deps.pool, names),
  ]);
  return shown.map((task, i) => showTask(task, costOf(costs, names[i] ?? ''), pulls.get(names[i] ?? '')));
}

export async function showOneTask(deps: ApiDeps, task: Task) {
  const name = taskName(task.repo, task.workItem);
  const [costs, [shown], pulls] = await Promise.all([
    taskCosts(deps.pool, [task]),
    withPresence(deps, [task]),
    pullRequestsOf(deps.pool, [name]),
  ]);
  return showTask(shown ?? task, costOf(costs, name), pulls.get(name));
}

export const showDecision = ({ stage, sha, verdict, by, at, reason }: Decision) => ({
  stage,
  sha,
  verdict,
  by,
  at,
  reason,
});
