/** Which tasks come before which, and who is to hear of it when one of them moves. */
import { SignalboxError } from '../domain/errors.js';
import type { Dependency, DependencyNow } from '../domain/pipeline/dependencies.js';
import { taskName } from '../domain/tasks.js';
import { execute, query, queryOne, type Db, type Tx } from './db.js';
import { addToOutbox } from './outbox.js';

/** Stores the edges of a task that was just inserted. Throws `not-acceptable` for one to a task that is not there. */
export async function addDependencies(
  tx: Tx,
  { repo, workItem }: { repo: string; workItem: string },
  dependencies: readonly Dependency[],
): Promise<void> {
  for (const [i, to] of dependencies.entries()) {
    if (to.repo === repo && to.workItem === workItem)
      throw refused(i, taskName(repo, workItem), 'would be this task itself');
    // The lock keeps its repository from being deleted meanwhile.
    const there = await queryOne(tx, 'SELECT 1 FROM tasks WHERE repo = $1 AND work_item = $2 FOR SHARE', [
      ...[to.repo, to.workItem],
    ]);
    if (there === null) throw refused(i, taskName(to.repo, to.workItem), 'there is no such task');
    await execute(
      tx,
      `INSERT INTO task_dependencies (repo, work_item, depends_on_repo, depends_on_item, on_failure, stack)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [repo, workItem, to.repo, to.workItem, to.onFailure, to.stack],
    );
  }
}

const refused = (index: number, value: string, message: string): SignalboxError => {
  const field = `dependsOn[${index}]`;
  return new SignalboxError('not-acceptable', `${field}: ${message}`, { faults: [{ field, value, message }] });
};

/** What a task waits for, as the rows are now; one that was deleted counts as failed. */
export async function dependenciesNow(db: Db, repo: string, workItem: string): Promise<DependencyNow[]> {
  return query<DependencyNow>(
    db,
    `SELECT d.depends_on_repo AS repo, d.depends_on_item AS "workItem", d.on_failure AS "onFailure", d.stack,
            coalesce(t.state, 'failed') AS state, coalesce(t.stage, 'deleted') AS stage,
            CASE WHEN t.waiting_on->>'kind' = 'merge-queue' THEN t.head END AS ready
       FROM task_dependencies d
       LEFT JOIN tasks t ON t.repo = d.depends_on_repo AND t.work_item = d.depends_on_item
      WHERE d.repo = $1 AND d.work_item = $2 ORDER BY 1, 2`,
    [repo, workItem],
  );
}

/** All edges between live tasks and what they wait for, as `web/ET-004` → `web/ET-003`. `repos`: of these; null = all. */
export async function openEdges(db: Db, repos: readonly string[] | null): Promise<[string, string][]> {
  const rows = await query<{ from: string; to: string }>(
    db,
    `SELECT d.repo || '/' || d.work_item AS "from", d.depends_on_repo || '/' || d.depends_on_item AS "to"
       FROM task_dependencies d JOIN tasks t ON t.repo = d.repo AND t.work_item = d.work_item
      WHERE t.state NOT IN ('done', 'failed', 'cancelled')
        AND ($1::text[] IS NULL OR (d.repo = ANY ($1) AND d.depends_on_repo = ANY ($1)))
      ORDER BY t.created_at, 1, 2`,
    [repos],
  );
  return rows.map(({ from, to }) => [from, to]);
}

/** Live tasks that come after this one. */
export async function liveDependents(
  db: Db,
  repo: string,
  workItem: string,
): Promise<{ repo: string; workItem: string }[]> {
  return query(
    db,
    `SELECT d.repo, d.work_item AS "workItem"
       FROM task_dependencies d JOIN tasks t ON t.repo = d.repo AND t.work_item = d.work_item
      WHERE d.depends_on_repo = $1 AND d.depends_on_item = $2 AND t.state NOT IN ('done', 'failed', 'cancelled')`,
    [repo, workItem],
  );
}

/** Has those that come after this task hear that it ended, or is in the merge queue. `moment`: names the occasion. */
export async function tellDependents(tx: Tx, repo: string, workItem: string, moment: string): Promise<void> {
  const dependents = await liveDependents(tx, repo, workItem);
  if (dependents.length === 0) return;
  await addToOutbox(tx, `moved:${taskName(repo, workItem)}:${moment}`, 'task-moved', { repo, workItem });
}
