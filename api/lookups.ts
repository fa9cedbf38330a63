/** What a path names, or 404. */
import { SignalboxError } from '../domain/errors.js';
import type { Repo } from '../domain/repos.js';
import { taskName } from '../domain/tasks.js';
import { getRepo } from '../store/repos.js';
import { getTask, type Task } from '../store/tasks.js';
import type { ApiDeps } from './deps.js';

/** The repository of the path; the token's grant was checked before. */
export async function repoOf(deps: ApiDeps, id: string): Promise<Repo> {
  const repo = await getRepo(deps.pool, id);
  if (repo === null) throw new SignalboxError('not-found', `there is no repository ${id}`);
  return repo;
}

/** The task of the path; the token's grant was checked before. */
export async function taskOf(deps: ApiDeps, params: { repo: string; workItem: string }): Promise<Task> {
  const task = await getTask(deps.pool, params.repo, params.workItem);
  if (task === null)
    throw new SignalboxError('not-found', `there is no task ${taskName(params.repo, params.workItem)}`);
  return task;
}
