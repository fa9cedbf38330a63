/**
 * Updates to a task's workflow. The API answers only what the workflow accepted: it waits ten seconds at most, and the
 * update carries its own deadline, because one that timed out would otherwise be applied when a worker comes back.
 */
import type { UpdateDefinition } from '@temporalio/common';
import { taskWorkflowId } from '../workflows/ids.js';
import type { Actor } from '../workflows/messages.js';
import type { ApiDeps } from './deps.js';
import { fromTemporal } from './temporal-errors.js';

const PATIENCE_MS = 10_000;
/** The workflow's deadline comes before ours, so that what it accepts is heard. */
const MARGIN_MS = 500;

/**
 * Sends one update and gives its result. `input` is given the time (RFC 3339) after which the workflow is to refuse it.
 * Throws `no-worker` (503), or the workflow's own refusal.
 */
export async function sendUpdate<Result, Input extends Actor>(
  deps: ApiDeps,
  task: { repo: string; workItem: string },
  definition: UpdateDefinition<Result, [Input]>,
  input: (expiresAt: string) => Input,
): Promise<Result> {
  const deadline = Date.now() + PATIENCE_MS;
  const handle = deps.temporal.workflow.getHandle(taskWorkflowId(task.repo, task.workItem));
  const args = input(new Date(deadline - MARGIN_MS).toISOString());
  try {
    return await deps.temporal.withDeadline(deadline, () => handle.executeUpdate(definition, { args: [args] }));
  } catch (err) {
    throw fromTemporal(err, 'the workflow of this task');
  }
}
