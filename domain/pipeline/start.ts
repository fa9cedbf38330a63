import type { Repo } from '../repos.js';
import type { Settings } from '../settings.js';
import type { Counters, Priority } from '../tasks.js';
import type { Dependency } from './dependencies.js';
import { PATIENCE, type TaskInput } from './input.js';
import type { Pipeline } from './types.js';

/** What of an accepted task the workflow begins with. */
export interface AcceptedTask {
  repo: string;
  workItem: string;
  generation: number;
  title: string;
  branch: string;
  priority: Priority;
  pipeline: Pipeline;
  maxAttempts: number | null;
  head: string | null;
  stackBase: string | null;
  dependsOn: Dependency[];
  counters: Counters;
  humanSeconds: number;
}

/** The argument that starts the workflow of a task in its generation. */
export function taskInput(
  task: AcceptedTask,
  repo: Pick<Repo, 'base' | 'config'>,
  settings: Settings,
  queuePrefix: string,
  startAt: TaskInput['startAt'],
): TaskInput {
  return {
    ...{ repo: task.repo, workItem: task.workItem, generation: task.generation, title: task.title, base: repo.base },
    ...{ branch: task.branch, priority: task.priority, pipeline: task.pipeline, maxAttempts: task.maxAttempts },
    settings: {
      ...PATIENCE,
      backoffBaseMs: settings.BACKOFF_BASE,
      backoffMaxMs: settings.BACKOFF_MAX,
      maxAttempts: settings.MAX_ATTEMPTS,
    },
    queuePrefix,
    ...{ head: task.head, counters: task.counters, humanSeconds: task.humanSeconds, startAt },
    ...{ dependsOn: task.dependsOn, stackBase: task.stackBase },
    checksExist: repo.config.checks.length > 0,
    carried: null,
  };
}
