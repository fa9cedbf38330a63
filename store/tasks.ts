/** Tasks as they were accepted, and the mirrored picture of where their workflows stand. */
import { randomUUID } from 'node:crypto';
import { SignalboxError } from '../domain/errors.js';
import type { Dependency } from '../domain/pipeline/dependencies.js';
import type { Pipeline } from '../domain/pipeline/types.js';
import { taskName, type Priority, type TaskMirror, type TaskStateName, type Waiting } from '../domain/tasks.js';
import { query, queryOne, type Db, type Tx } from './db.js';
import { appendEvent } from './events.js';
import { tellDependents } from './task-dependencies.js';
import { dropEntryPriorities, tellRepairEnded } from './merge-entries.js';
import { addToOutbox } from './outbox.js';

/** One row: what was accepted, and the picture of where it stands. `updatedAt` moves with the stage only. */
export interface Task extends Omit<TaskMirror, 'runId' | 'seq' | 'endReason' | 'stackBase'> {
  prefix: string;
  number: number;
  title: string;
  description: string;
  source: string | null;
  externalId: string | null;
  branch: string;
  priority: Priority;
  /** Pinned when the task was accepted. */
  pipeline: Pipeline;
  maxAttempts: number | null;
  submittedBy: string | null;
  dependsOn: Dependency[];
  /** The commit of another task that its branch was cut from; null: of none. */
  stackBase: string | null;
  /** Why it is over: by its own workflow's word, or why that ended. */
  endReason: string | null;
  createdAt: string;
  updatedAt: string;
}

export const TASK_COLUMNS = `repo, work_item AS "workItem", prefix, number, title, description, source,
  external_id AS "externalId", branch, priority, pipeline, max_attempts AS "maxAttempts", generation, state, stage,
  agent_running AS "agentRunning", head, waiting_on AS "waitingOn", landed, counters, human_seconds AS "humanSeconds",
  submitted_by AS "submittedBy", stack_base AS "stackBase",
  (SELECT coalesce(json_agg(json_build_object('repo', d.depends_on_repo, 'workItem', d.depends_on_item,
            'onFailure', d.on_failure, 'stack', d.stack) ORDER BY d.depends_on_repo, d.depends_on_item), '[]')
     FROM task_dependencies d WHERE d.repo = tasks.repo AND d.work_item = tasks.work_item) AS "dependsOn", end_reason AS "endReason", created_at AS "createdAt", updated_at AS "updatedAt"`;

/** What a task waits for between its acceptance and the first step of its workflow. */
export function waitingToStart(since: Date): Waiting {
  return {
    kind: 'start',
    since: since.toISOString(),
    until: null,
    detail: 'accepted; its workflow is about to be started',
    code: null,
    artifact: null,
    unblockedBy: ['a worker'],
    links: {},
  };
}

export async function getTask(db: Db, repo: string, workItem: string): Promise<Task | null> {
  return queryOne<Task>(db, `SELECT ${TASK_COLUMNS} FROM tasks WHERE repo = $1 AND work_item = $2`, [repo, workItem]);
}

/** Over all repositories: a tracker's id is one task. */
export async function findTaskByExternal(db: Db, source: string, externalId: string): Promise<Task | null> {
  return queryOne<Task>(db, `SELECT ${TASK_COLUMNS} FROM tasks WHERE source = $1 AND external_id = $2`, [
    source,
    externalId,
  ]);
}

export interface TaskFilter {
  repo?: string | null;
  /** Only these repositories (what a token may see); null = all. */
  repos?: readonly string[] | null;
  state?: TaskStateName | null;
  stage?: string | null;
  source?: string | null;
  externalId?: string | null;
  branch?: string | null;
  limit?: number;
  /** `next` of the page before. */
  cursor?: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

const encodeCursor = (task: Task): string => Buffer.from(`${task.repo}/${task.workItem}`).toString('base64url');

function decodeCursor(cursor: string): [string, string] {
  const [repo, workItem, ...rest] = Buffer.from(cursor, 'base64url').toString('utf8').split('/');
  if (repo === undefined || workItem === undefined || rest.length > 0 || /[^\w./-]/.test(repo + workItem)) {
    throw new SignalboxError('invalid-request', 'cursor: not one that a list gave', {
      faults: [{ field: 'cursor', value: cursor, message: 'the `next` of an earlier page' }],
    });
  }
  return [repo, workItem];
}

/** Newest first. */
export async function listTasks(db: Db, filter: TaskFilter = {}): Promise<Page<Task>> {
  const limit = filter.limit ?? 50;
  const [afterRepo, afterItem] = filter.cursor ? decodeCursor(filter.cursor) : [null, null];
  const items = await query<Task>(
    db,
    `SELECT ${TASK_COLUMNS} FROM tasks
      WHERE ($1::text IS NULL OR repo = $1) AND ($2::text[] IS NULL OR repo = ANY ($2))
        AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR stage = $4)
        AND ($5::text IS NULL OR source = $5) AND ($6::text IS NULL OR external_id = $6)
        AND ($7::text IS NULL OR branch = $7)
        AND ($8::text IS NULL OR (created_at, repo, work_item) <
          (SELECT created_at, repo, work_item FROM tasks WHERE repo = $8 AND work_item = $9))
      ORDER BY tasks.created_at DESC, repo DESC, work_item DESC LIMIT $10`,
    [
      ...[filter.repo ?? null, filter.repos ?? null, filter.state ?? null, filter.stage ?? null],
      ...[filter.source ?? null, filter.externalId ?? null, filter.branch ?? null, afterRepo, afterItem, limit + 1],
    ],
  );
  const page = items.slice(0, limit);
  const last = page.at(-1);
  return { items: page, next: items.length > limit && last ? encodeCursor(last) : null };
}

/** When the tasks among these were accepted, by work item. */
export async function acceptedAmong(db: Db, repo: string, workItems: readonly string[]): Promise<Map<string, string>> {
  const rows = await query<{ workItem: string; createdAt: string }>(
    db,
    `SELECT work_item AS "workItem", created_at AS "createdAt" FROM tasks WHERE repo = $1 AND work_item = ANY ($2)`,
    [repo, workItems],
  );
  return new Map(rows.map((row) => [row.workItem, row.createdAt]));
}

export interface TaskPatch {
  title?: string;
  description?: string;
  priority?: Priority;
}

/**
 * Changes words and priority of a live task, and has its workflow told; null when there is none, `conflict` when it is
 * over.
 */
export async function patchTask(tx: Tx, repo: string, workItem: string, patch: TaskPatch): Promise<Task | null> {
  const changed = await queryOne<Task>(
    tx,
    `UPDATE tasks SET title = coalesce($3, title), description = coalesce($4, description),
       priority = coalesce($5, priority)
     WHERE repo = $1 AND work_item = $2 AND state NOT IN ('done', 'failed', 'cancelled') RETURNING ${TASK_COLUMNS}`,
    [repo, workItem, patch.title ?? null, patch.description ?? null, patch.priority ?? null],
  );
  if (changed !== null) {
    if (patch.priority !== undefined) await dropEntryPriorities(tx, repo, workItem);
    // The description is read from the row by each run; these two the workflow holds.
    if (patch.title !== undefined || patch.priority !== undefined) {
      await addToOutbox(tx, `change:${repo}/${workItem}:${randomUUID()}`, 'task-changed', { repo, workItem });
    }
    return changed;
  }
  const task = await getTask(tx, repo, workItem);
  if (task === null) return null;
  throw new SignalboxError('conflict', `${repo}/${workItem} is ${task.state}`, { state: task.state });
}

/** Live tasks among these (`web/ET-012`), with their generation. */
export async function liveAmong(
  db: Db,
  names: readonly string[],
): Promise<{ repo: string; workItem: string; generation: number }[]> {
  return query(
    db,
    `SELECT repo, work_item AS "workItem", generation FROM tasks
      WHERE repo || '/' || work_item = ANY ($1) AND state NOT IN ('done', 'failed', 'cancelled')`,
    [names],
  );
}

/**
 * Marks a live task as failed whose workflow ended without its doing; false when it is over or in another generation.
 * Pictures that its workflow sent and that are still on their way count no more.
 */
export async function failTask(
  tx: Tx,
  { repo, workItem, generation }: { repo: string; workItem: string; generation: number },
  reason: string,
): Promise<boolean> {
  const failed = await queryOne<Task>(
    tx,
    `UPDATE tasks SET state = 'failed', agent_running = NULL, waiting_on = NULL, end_reason = $4, mirror_seq = 0,
       mirror_past = array_remove(array_append(mirror_past, mirror_run), NULL), mirror_run = NULL
     WHERE repo = $1 AND work_item = $2 AND generation = $3 AND state NOT IN ('done', 'failed', 'cancelled')
     RETURNING ${TASK_COLUMNS}`,
    [repo, workItem, generation, reason],
  );
  if (failed === null) return false;
  await tellDependents(tx, repo, workItem, `failed.g${generation}`);
  await tellRepairEnded(tx, repo, workItem, generation);
  const data = { type: 'changed', generation, state: 'failed', stage: failed.stage, waitingOn: null, detail: reason };
  await appendEvent(tx, { kind: 'task', repo, subject: taskName(repo, workItem), data });
  return true;
}

/** Tasks whose workflow should have begun but has shown nothing for so long (ms). */
export async function tasksStuckInQueue(db: Db, olderThanMs: number): Promise<Task[]> {
  return query<Task>(
    db,
    `SELECT ${TASK_COLUMNS} FROM tasks
      WHERE state = 'queued' AND updated_at < now() - $1 * interval '1 ms'
        AND NOT EXISTS (SELECT 1 FROM outbox WHERE key = 'start:' || repo || '/' || work_item || ':g' || generation
                          AND done_at IS NULL)
      ORDER BY created_at LIMIT 100`,
    [olderThanMs],
  );
}
