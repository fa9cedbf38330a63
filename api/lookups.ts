/** What a path names, or 404. */
import { SignalboxError } from '../domain/errors.js';
import type { Repo } from '../domain/repos.js';
import { taskName } from '../domain/tasks.js';
import { getRepo } from '../store/repos.js';
import { getTask, type Task } from '../store/tasks.js';
import type { ApiDeps } from './deps.js';
import { refuse } from './refuse.js';

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

/** The repository that a field of a request names, or 422. */
export async function repoNamed(deps: ApiDeps, field: string, id: string): Promise<Repo> {
  return (await getRepo(deps.pool, id)) ?? refuse('not-acceptable', field, id, 'there is no such repository');
}

/** Refuses a base branch that the repository does not have: nothing would ever heed what is said about it. */
export function requireBase(repo: Repo, base: string | null | undefined): void {
  if (base == null || base === repo.base) return;
  refuse('not-acceptable', 'base', base, `${repo.id} has no such base branch; allowed: ${repo.base}`);
}
