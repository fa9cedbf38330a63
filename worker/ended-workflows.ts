/**
 * Tasks whose workflow was ended from outside (`temporal workflow terminate`): nobody is left to show it, to stop their
 * agents or to leave the merge queue, so it is done here. The row says failed and why; a retry begins the next
 * generation.
 */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { transaction } from '../store/db.js';
import { dropJob, openAgentJobs } from '../store/jobs.js';
import { openEntriesOf } from '../store/merge-entries.js';
import { failTask, liveAmong } from '../store/tasks.js';
import { mergeQueueWorkflowId, taskWorkflowId } from '../workflows/ids.js';
import { withdraw } from '../workflows/messages.js';
import { findTaskWorkflow, type EffectDeps, type TaskWorkflow } from './effects.js';

/** Ends that are nobody's wish in our own terms; our workflows complete, or continue as new. */
const FROM_OUTSIDE = ['TERMINATED', 'FAILED', 'TIMED_OUT'];
const NAMES_AT_ONCE = 500;

export const endedFromOutside = ({ status }: TaskWorkflow): boolean => FROM_OUTSIDE.includes(status);

/** @param since only those that ended after that; null = all that Temporal remembers */
export async function failEndedTasks(deps: EffectDeps, since: Date | null): Promise<void> {
  const ended = `WorkflowType = "task" AND ExecutionStatus IN ("Terminated", "Failed", "TimedOut")`;
  const query = since === null ? ended : `${ended} AND CloseTime > "${since.toISOString()}"`;
  const names = new Set<string>();
  for await (const { workflowId } of deps.client.workflow.list({ query })) names.add(workflowId.replace(/^task\//, ''));
  const all = [...names];
  for (let at = 0; at < all.length; at += NAMES_AT_ONCE) {
    for (const task of await liveAmong(deps.pool, all.slice(at, at + NAMES_AT_ONCE))) await failIfEnded(deps, task);
  }
}

interface LiveTask {
  repo: string;
  workItem: string;
  generation: number;
}

async function failIfEnded({ pool, client, settings }: EffectDeps, task: LiveTask): Promise<void> {
  const workflowId = taskWorkflowId(task.repo, task.workItem);
  // A list may be old, and a reset begins another run: the newest one counts.
  const found = await findTaskWorkflow(client, workflowId);
  if (found === null || !endedFromOutside(found) || found.generation !== task.generation) return;
  const reason = `its workflow ${workflowId} was ${await whatHappened(client, workflowId, found)}`;
  await transaction(pool, async (tx) => {
    if (!(await failTask(tx, task, reason))) return;
    for (const job of await openAgentJobs(tx)) {
      const its = job.repo === task.repo && job.workItem === task.workItem && job.generation === task.generation;
      if (its) await dropJob(tx, job.runId, reason, settings.AGENT_STALE);
    }
  });
  for (const { entry, base } of await openEntriesOf(pool, task)) {
    try {
      await client.workflow.getHandle(mergeQueueWorkflowId(task.repo, base)).signal(withdraw, { id: entry, reason });
    } catch (err) {
      if (!(err instanceof WorkflowNotFoundError)) throw err; // no queue, no landing
    }
  }
}

/** `terminated by ana@desk: wrong repository`, as far as the last event says so. */
async function whatHappened(client: Client, workflowId: string, { runId, status }: TaskWorkflow): Promise<string> {
  const { namespace } = client.options;
  const request = { namespace, execution: { workflowId, runId }, maximumPageSize: 1 };
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse(request);
  const last = history?.events?.[0];
  const terminated = last?.workflowExecutionTerminatedEventAttributes;
  if (terminated != null) {
    return `terminated by ${terminated.identity || 'somebody'}: ${terminated.reason || 'no reason was given'}`;
  }
  const failure = last?.workflowExecutionFailedEventAttributes?.failure?.message;
  return failure ? `ended as ${status}: ${failure}` : `ended as ${status}`;
}
