/** What a lost message or a terminated workflow leaves behind is found by looking, now and then. */
import type { TaskInput } from '../domain/pipeline/input.js';
import { TERMINAL_STATES } from '../domain/tasks.js';
import { transaction } from '../store/db.js';
import { forgetPastWaits } from '../store/external-waits.js';
import { forgetOldDeliveries } from '../store/hooks.js';
import { dropJob, openAgentJobs, type Job } from '../store/jobs.js';
import { addAgainToOutbox } from '../store/outbox.js';
import { startKey } from '../store/task-intake.js';
import { getTask, tasksStuckInQueue } from '../store/tasks.js';
import { taskWorkflowId } from '../workflows/ids.js';
import { findTaskWorkflow, type EffectDeps } from './effects.js';
import { endedFromOutside, failEndedTasks } from './ended-workflows.js';

/** Lists of workflows lag behind, and the clocks of machines differ. */
const LIST_DELAY_MS = 10 * 60_000;

/**
 * @param graceMs younger ones are left alone: they may be on their way
 * @param since when the last sweep began; null for the first
 */
export async function sweep(deps: EffectDeps, graceMs: number, since: Date | null = null): Promise<void> {
  await failEndedTasks(deps, since === null ? null : new Date(since.getTime() - LIST_DELAY_MS));
  await startLostTasks(deps, graceMs);
  await dropLostJobs(deps, graceMs);
  await forgetOldDeliveries(deps.pool);
  await forgetPastWaits(deps.pool);
}

/** Accepted tasks without a workflow of their generation are started (again). */
async function startLostTasks({ pool, client }: EffectDeps, graceMs: number): Promise<void> {
  for (const { repo, workItem, generation } of await tasksStuckInQueue(pool, graceMs)) {
    const found = await findTaskWorkflow(client, taskWorkflowId(repo, workItem));
    if (found?.generation === generation && (found.status === 'RUNNING' || endedFromOutside(found))) continue;
    const startAt: TaskInput['startAt'] = null; // a row that is there already keeps what it says
    await transaction(pool, (tx) =>
      addAgainToOutbox(tx, startKey(repo, workItem, generation), 'start-task', { repo, workItem, generation, startAt }),
    );
  }
}

/** A job whose task is over, or was restarted, would hold its place or its slot for ever. */
async function dropLostJobs({ pool, settings }: EffectDeps, graceMs: number): Promise<void> {
  for (const job of await openAgentJobs(pool)) {
    if (Date.now() - Date.parse(job.startedAt ?? job.createdAt) < graceMs) continue;
    if (!(await isLost(pool, job))) continue;
    await transaction(pool, (tx) => dropJob(tx, job.runId, 'its task is over or was restarted', settings.AGENT_STALE));
  }
}

async function isLost(pool: EffectDeps['pool'], job: Job): Promise<boolean> {
  if (job.workItem === null) return false;
  const task = await getTask(pool, job.repo, job.workItem);
  return task === null || task.generation !== job.generation || TERMINAL_STATES.includes(task.state);
}
