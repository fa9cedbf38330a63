/** What a task is to come after, as a request names it. */
import { FAILURE_POLICIES, type Dependency } from '../domain/pipeline/dependencies.js';
import type { Repo } from '../domain/repos.js';
import { taskName } from '../domain/tasks.js';
import { refuse } from './refuse.js';
import type { CreateTask } from './schemas/tasks.js';

/**
 * Each task once; `may` says whether the token may see a repository. Throws `not-acceptable` for what contradicts itself;
 * whether the tasks are there is asked where the rows are written.
 */
export function dependenciesOf(
  body: Pick<CreateTask, 'dependsOn' | 'branch'>,
  repo: Repo,
  may: (repo: string) => void,
): Dependency[] {
  const found = new Map<string, Dependency>();
  for (const [i, given] of (body.dependsOn ?? []).entries()) {
    const field = `dependsOn[${i}]`;
    const named = typeof given === 'string' ? { task: given } : given;
    const [to = '', workItem = ''] = named.task.split('/');
    may(to);
    const { onFailure = FAILURE_POLICIES[0], stack = false } = named as {
      onFailure?: Dependency['onFailure'];
      stack?: boolean;
    };
    if (stack && to !== repo.id) {
      refuse('not-acceptable', `${field}.stack`, true, `only a task of ${repo.id} can be stacked on`);
    }
    if (stack && body.branch != null) {
      refuse(
        'not-acceptable',
        'branch',
        body.branch,
        'a stacked task begins with the work of the other one: leave it out',
      );
    }
    const name = taskName(to, workItem);
    if (found.has(name)) refuse('not-acceptable', field, name, 'is named twice');
    found.set(name, { repo: to, workItem, onFailure, stack });
  }
  const stacks = [...found.values()].filter((d) => d.stack);
  if (stacks.length > 1)
    refuse('not-acceptable', 'dependsOn', stacks.length, 'can be stacked on one task, not on more');
  return [...found.values()];
}
