/** Carrying out outbox rows. Each is safe to repeat: it looks before it acts, or its message carries an id. */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionStatusName,
} from '@temporalio/client';
import type { ShowPullRequest } from '../activities/forge/index.js';
import { assertNever, SignalboxError } from '../domain/errors.js';
import { queueTimes } from '../domain/merge-queue/times.js';
import type { TaskInput } from '../domain/pipeline/input.js';
import { taskInput } from '../domain/pipeline/start.js';
import type { Settings } from '../domain/settings.js';
import { taskName, TERMINAL_STATES } from '../domain/tasks.js';
import { transaction, type Pool } from '../store/db.js';
import { dropJob, hostOfRun } from '../store/jobs.js';
import { getEntry } from '../store/merge-entries.js';
import { queueBases } from '../store/merge-queues.js';
import type { OutboxPayloads, OutboxRow } from '../store/outbox.js';
import { getRepo } from '../store/repos.js';
import { liveDependents } from '../store/task-dependencies.js';
import { getTask } from '../store/tasks.js';
import { controlQueue, mergeQueueWorkflowId, taskWorkflowId } from '../workflows/ids.js';
import {
  changed,
  dependencySettled,
  entryEdited,
  gateChanged,
  hostChanged,
  runGranted,
  statusNews,
  taskEnded,
} from '../workflows/messages.js';
import {
  SignalboxBranch,
  SignalboxRepo,
  SignalboxStage,
  SignalboxWaitingOn,
  SignalboxWorkItem,
} from '../workflows/search-attributes.js';

export interface EffectDeps {
  pool: Pool;
  client: Client;
  settings: Settings;
  queuePrefix: string;
  /** Absent: such rows are left to others. */
  showPullRequest?: ShowPullRequest;
}

/** Throws when the effect is to be tried again later. */
export async function carryOut(deps: EffectDeps, row: OutboxRow): Promise<void> {
  switch (row.kind) {
    case 'start-task':
      return startTask(deps, row.payload);
    case 'task-changed':
      return tellChange(deps, row.id, row.payload);
    case 'task-moved':
      return tellDependents(deps, row.payload);
    case 'run-granted':
      return tellGrant(deps, row.payload);
    case 'host-changed':
      return tellHost(deps, row.payload.runId);
    case 'entry-edited':
      return tellEdit(deps, row.payload.entry);
    case 'check-news':
      return tellNews(deps, row.payload);
    case 'pull-request':
      return deps.showPullRequest?.(row.payload);
    case 'repair-ended':
      return tellRepairEnded(deps, row.payload);
    case 'gate-changed':
      return tellQueues(deps, row.key, row.payload);
    default:
      assertNever(row);
  }
}

/** The newest workflow of a task. */
export interface TaskWorkflow {
  runId: string;
  status: WorkflowExecutionStatusName;
  /** That it was started for, from its memo: a restart must not mistake the old one for its own. 0 = unknown. */
  generation: number;
}

export async function findTaskWorkflow(client: Client, workflowId: string): Promise<TaskWorkflow | null> {
  try {
    const { runId, status, memo } = await client.workflow.getHandle(workflowId).describe();
    const generation = memo?.generation;
    return { runId, status: status.name, generation: typeof generation === 'number' ? generation : 0 };
  } catch (err) {
    if (err instanceof WorkflowNotFoundError) return null;
    throw err;
  }
}

export async function runningGeneration(client: Client, workflowId: string): Promise<number | 'none'> {
  const found = await findTaskWorkflow(client, workflowId);
  return found?.status === 'RUNNING' ? found.generation : 'none';
}

async function startTask(deps: EffectDeps, wanted: OutboxPayloads['start-task']): Promise<void> {
  const { pool, client, settings, queuePrefix } = deps;
  const task = await getTask(pool, wanted.repo, wanted.workItem);
  // Restarted or over meanwhile: this start is nobody's wish any more.
  if (task?.generation !== wanted.generation || TERMINAL_STATES.includes(task.state)) return;
  const repo = await getRepo(pool, wanted.repo);
  if (repo === null) return;
  const workflowId = taskWorkflowId(task.repo, task.workItem);
  try {
    await client.workflow.start('task', {
      workflowId,
      taskQueue: controlQueue(queuePrefix),
      args: [taskInput(task, repo, settings, queuePrefix, wanted.startAt as TaskInput['startAt'])],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      memo: { generation: task.generation },
      staticSummary: `${taskName(task.repo, task.workItem)} ${task.title}`.slice(0, 200),
      typedSearchAttributes: [
        { key: SignalboxRepo, value: task.repo },
        { key: SignalboxWorkItem, value: task.workItem },
        { key: SignalboxStage, value: task.stage },
        { key: SignalboxWaitingOn, value: 'start' },
        { key: SignalboxBranch, value: task.branch },
      ],
    });
  } catch (err) {
    if (!(err instanceof WorkflowExecutionAlreadyStartedError)) throw err;
    const generation = await runningGeneration(client, workflowId);
    if (generation === task.generation) return;
    throw new SignalboxError('unavailable', `${workflowId} of generation ${generation} has not ended yet`);
  }
}

/** `version`: id of the outbox row, which rises with each change of one task, since its row was held meanwhile. */
async function tellChange(deps: EffectDeps, version: number, of: OutboxPayloads['task-changed']): Promise<void> {
  const task = await getTask(deps.pool, of.repo, of.workItem);
  if (task === null || TERMINAL_STATES.includes(task.state)) return;
  const { title, priority } = task;
  try {
    const workflow = deps.client.workflow.getHandle(taskWorkflowId(task.repo, task.workItem));
    await workflow.signal(changed, { version, title, priority });
  } catch (err) {
    if (!(err instanceof WorkflowNotFoundError)) throw err;
    // Its start may have read the row before the change: told again once it runs.
    throw new SignalboxError('unavailable', `${taskName(task.repo, task.workItem)} has no workflow yet`);
  }
}

/** One whose workflow has not begun asks when it does. */
async function tellDependents({ pool, client }: EffectDeps, moved: OutboxPayloads['task-moved']): Promise<void> {
  const id = taskName(moved.repo, moved.workItem);
  for (const { repo, workItem } of await liveDependents(pool, moved.repo, moved.workItem)) {
    try {
      await client.workflow.getHandle(taskWorkflowId(repo, workItem)).signal(dependencySettled, { id });
    } catch (err) {
      if (!(err instanceof WorkflowNotFoundError)) throw err;
    }
  }
}

async function tellGrant(deps: EffectDeps, grant: OutboxPayloads['run-granted']): Promise<void> {
  const { workflowId, runId, host } = grant;
  try {
    await deps.client.workflow.getHandle(workflowId).signal(runGranted, { runId, host });
  } catch (err) {
    if (!(err instanceof WorkflowNotFoundError)) throw err;
    await transaction(deps.pool, (tx) => dropJob(tx, runId, 'its workflow is gone', deps.settings.AGENT_STALE));
  }
}

async function tellNews({ client }: EffectDeps, { workflowId, sha }: OutboxPayloads['check-news']): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal(statusNews, { id: sha });
  } catch (err) {
    if (!(err instanceof WorkflowNotFoundError)) throw err; // it has its verdict
  }
}

/** Read now, so that messages which overtake each other say the same. */
async function tellHost({ pool, client }: EffectDeps, runId: string): Promise<void> {
  const job = await hostOfRun(pool, runId);
  if (job === null) return;
  try {
    await client.workflow.getHandle(job.workflowId).signal(hostChanged, { runId, away: job.away });
  } catch (err) {
    if (!(err instanceof WorkflowNotFoundError)) throw err; // the sweep gives such a run up
  }
}

/** Read now, with its version. */
async function tellEdit({ pool, client }: EffectDeps, id: string): Promise<void> {
  const row = await getEntry(pool, id);
  if (row === null || row.outcome !== null) return;
  try {
    const queue = client.workflow.getHandle(mergeQueueWorkflowId(row.repo, row.base));
    await queue.signal(entryEdited, { id, edit: row.edit });
  } catch (err) {
    if (!(err instanceof WorkflowNotFoundError)) throw err; // the next enqueue of the entry brings it along
  }
}

async function tellRepairEnded({ client }: EffectDeps, of: OutboxPayloads['repair-ended']): Promise<void> {
  for (const base of of.bases) {
    try {
      const queue = client.workflow.getHandle(mergeQueueWorkflowId(of.repo, base));
      await queue.signal(taskEnded, { id: taskName(of.repo, of.workItem) });
    } catch (err) {
      if (!(err instanceof WorkflowNotFoundError)) throw err; // nobody waits in a queue that is not there
    }
  }
}

async function tellQueues(deps: EffectDeps, id: string, change: OutboxPayloads['gate-changed']): Promise<void> {
  const bases = await queueBases(deps.pool, change.repo);
  for (const base of bases.filter((b) => change.base === null || b === change.base)) {
    try {
      const queue = deps.client.workflow.getHandle(mergeQueueWorkflowId(change.repo, base));
      await queue.signal(gateChanged, { id, acceptTip: change.acceptTip }, queueTimes(deps.settings));
    } catch (err) {
      if (!(err instanceof WorkflowNotFoundError)) throw err; // a queue reads the gates when it begins
    }
  }
}
