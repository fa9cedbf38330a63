/** How a task comes into being, and into a new generation: one transaction with its number, outbox row and event. */
import { SignalboxError } from '../domain/errors.js';
import type { Dependency } from '../domain/pipeline/dependencies.js';
import type { RunOverrides } from '../domain/pipeline/input.js';
import type { Pipeline } from '../domain/pipeline/types.js';
import { taskName, workItemName, type Priority } from '../domain/tasks.js';
import { execute, json, lock, queryOne, transaction, violatesUnique, type Pool, type Tx } from './db.js';
import { appendEvent } from './events.js';
import { addDependencies } from './task-dependencies.js';
import { addToOutbox } from './outbox.js';
import { findTaskByExternal, getTask, TASK_COLUMNS, waitingToStart, type Task } from './tasks.js';

export interface NewTask {
  repo: string;
  /** Of the repository; exact, case included. */
  prefix: string;
  title: string;
  description: string;
  /** Both or neither. */
  source: string | null;
  externalId: string | null;
  /** The tracker's own number, or null for the next one. */
  number: number | null;
  /** Null = `signalbox/<work item>`. */
  branch: string | null;
  priority: Priority;
  pipeline: Pipeline;
  maxAttempts: number | null;
  /** Each task once. */
  dependsOn: Dependency[];
  submittedBy: string | null;
}

/** Key of the outbox row that starts a task in a generation. */
export const startKey = (repo: string, workItem: string, generation: number): string =>
  `start:${taskName(repo, workItem)}:g${generation}`;

const MAX_NUMBER = 999_999_999;

/**
 * Accepts a task: when this returns, it is committed. The same (source, externalId), in whatever repository, gives the
 * task that is there with `created: false`. Throws `conflict` when a live task has the branch.
 */
export async function createTask(pool: Pool, input: NewTask): Promise<{ task: Task; created: boolean }> {
  try {
    return await transaction(pool, async (tx) => {
      const existing = await sameExternal(tx, input);
      if (existing !== null) return { task: existing, created: false };
      const inserted = await insert(tx, input, await takeNumber(tx, input));
      await addDependencies(tx, inserted, input.dependsOn);
      const task = { ...inserted, dependsOn: input.dependsOn };
      await announce(tx, task, 'created', null);
      return { task, created: true };
    });
  } catch (err) {
    throw branchTaken(err, input.branch);
  }
}

async function sameExternal(tx: Tx, { source, externalId }: NewTask): Promise<Task | null> {
  if (source === null || externalId === null) return null;
  await lock(tx, 'external', source, externalId);
  return findTaskByExternal(tx, source, externalId);
}

/**
 * The wanted number, or one more than the highest of this prefix; from there forward to the first that was never used.
 * The lock makes the choice and the insert one step for everybody who wants a number of this prefix.
 */
async function takeNumber(tx: Tx, { repo, prefix, number }: NewTask): Promise<number> {
  await lock(tx, 'number', repo, prefix);
  const found = await queryOne<{ number: number | null }>(
    tx,
    `WITH used AS (
       SELECT number FROM tasks WHERE repo = $1 AND prefix = $2
       UNION ALL SELECT highest FROM used_numbers WHERE repo = $1 AND prefix = $2
     ), start AS (
       SELECT greatest(coalesce($3::bigint, (SELECT max(number) FROM used) + 1, 1),
                       (SELECT highest + 1 FROM used_numbers WHERE repo = $1 AND prefix = $2)) AS number
     )
     SELECT min(c.number) AS number
       FROM (SELECT number FROM start UNION ALL
             SELECT u.number + 1 FROM used u, start WHERE u.number >= start.number) c
      WHERE NOT EXISTS (SELECT 1 FROM used u WHERE u.number = c.number)`,
    [repo, prefix, number],
  );
  const chosen = found?.number ?? 1;
  if (chosen > MAX_NUMBER) throw new SignalboxError('conflict', `no number is left for ${prefix} in ${repo}`);
  return chosen;
}

/** Numbers up to these, by prefix, are never given out again: their tasks are not here, and their heads and landings are. */
export async function useNumbers(tx: Tx, repo: string, highest: ReadonlyMap<string, number>): Promise<void> {
  for (const [prefix, number] of [...highest].sort()) {
    await lock(tx, 'number', repo, prefix);
    await execute(
      tx,
      `INSERT INTO used_numbers (repo, prefix, highest) VALUES ($1, $2, $3)
       ON CONFLICT (repo, prefix) DO UPDATE SET highest = greatest(used_numbers.highest, excluded.highest)`,
      [repo, prefix, number],
    );
  }
}

async function insert(tx: Tx, input: NewTask, number: number): Promise<Task> {
  const workItem = workItemName(input.prefix, number);
  const task = await queryOne<Task>(
    tx,
    `INSERT INTO tasks (repo, work_item, prefix, number, title, description, source, external_id, branch, priority,
                        pipeline, max_attempts, waiting_on, submitted_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING ${TASK_COLUMNS}`,
    [
      ...[input.repo, workItem, input.prefix, number, input.title, input.description, input.source, input.externalId],
      ...[input.branch ?? `signalbox/${workItem}`, input.priority, json(input.pipeline), input.maxAttempts],
      ...[json(waitingToStart(new Date())), input.submittedBy],
    ],
  );
  if (task === null) throw new SignalboxError('internal', `task ${workItem} was not stored`);
  return task;
}

export interface Restart {
  repo: string;
  workItem: string;
  /** The generation that the caller saw: whoever comes second is refused. */
  generation: number;
  /** A redo: the stage to begin with. */
  startAt: { stage: string; overrides: RunOverrides } | null;
  /** Who wants it. */
  by: string | null;
}

/**
 * Puts a task that is over back in line, in the next generation. Throws `not-found`, or `conflict` when it is not over,
 * was restarted meanwhile, or its branch belongs to another live task by now.
 */
export async function restartTask(pool: Pool, restart: Restart): Promise<Task> {
  const { repo, workItem, generation } = restart;
  try {
    return await transaction(pool, async (tx) => {
      const task = await queryOne<Task>(
        tx,
        `UPDATE tasks SET generation = generation + 1, state = 'queued', stage = 'created', agent_running = NULL,
           waiting_on = $4, landed = NULL, end_reason = NULL, updated_at = now(), mirror_seq = 0, mirror_run = NULL,
           mirror_past = array_remove(array_append(mirror_past, mirror_run), NULL)
         WHERE repo = $1 AND work_item = $2 AND generation = $3 AND state IN ('done', 'failed', 'cancelled')
         RETURNING ${TASK_COLUMNS}`,
        [repo, workItem, generation, json(waitingToStart(new Date()))],
      );
      if (task === null) throw await whyNotRestarted(tx, restart);
      await announce(tx, task, 'restarted', restart);
      return task;
    });
  } catch (err) {
    throw branchTaken(err, null);
  }
}

async function whyNotRestarted(tx: Tx, { repo, workItem, generation }: Restart): Promise<SignalboxError> {
  const now = await getTask(tx, repo, workItem);
  if (now === null) return new SignalboxError('not-found', `there is no task ${taskName(repo, workItem)}`);
  const what = now.generation === generation ? `is ${now.state}` : 'was restarted meanwhile';
  return new SignalboxError('conflict', `${taskName(repo, workItem)} ${what}`, { generation: now.generation });
}

/** The outbox row that starts the workflow, and the event. */
async function announce(tx: Tx, task: Task, type: 'created' | 'restarted', restart: Restart | null): Promise<void> {
  const { repo, workItem, generation } = task;
  await addToOutbox(tx, startKey(repo, workItem, generation), 'start-task', {
    ...{ repo, workItem, generation },
    startAt: restart?.startAt ?? null,
  });
  await appendEvent(tx, {
    kind: 'task',
    repo,
    subject: taskName(repo, workItem),
    data: {
      ...{ type, generation, state: task.state, stage: task.stage, waitingOn: 'start' },
      by: restart ? restart.by : task.submittedBy,
    },
  });
}

function branchTaken(err: unknown, branch: string | null): unknown {
  if (!violatesUnique(err, 'tasks_live_branch')) return err;
  return new SignalboxError('conflict', `another live task has the branch${branch === null ? '' : ` ${branch}`}`, {
    faults: [{ field: 'branch', value: branch, message: 'the branch of no other live task' }],
  });
}
