/**
 * Updates to a task's workflow. The API answers only what the workflow accepted: it waits ten seconds at most, and the
 * update carries its own deadline, because one that timed out would otherwise be applied when a worker comes back.
 */
import { ApplicationFailure } from '@temporalio/common';
import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcServiceError,
} from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { ERRORS, SignalboxError, type ErrorCode, type ErrorData } from '../domain/errors.js';
import { taskWorkflowId } from '../workflows/ids.js';
import type { Actor } from '../workflows/messages.js';
import type { ApiDeps } from './deps.js';

const PATIENCE_MS = 10_000;
/** The workflow's deadline comes before ours, so that what it accepts is heard. */
const MARGIN_MS = 500;

const noWorker = (cause: unknown): SignalboxError =>
  new SignalboxError(
    'no-worker',
    'no worker took the request within 10 seconds; nothing was changed',
    { retryAfter: 5 },
    { cause },
  );

const isErrorCode = (type: string): type is ErrorCode => Object.hasOwn(ERRORS, type);

/** The refusal of a validator or handler, as it was thrown: its type is the code, its first detail the data. */
function refusal(err: WorkflowUpdateFailedError): SignalboxError {
  const cause = err.cause;
  if (cause instanceof ApplicationFailure) {
    const data = (cause.details?.[0] ?? {}) as ErrorData;
    if (cause.type === 'expired' || cause.type === 'no-worker') return noWorker(cause);
    if (typeof cause.type === 'string' && isErrorCode(cause.type)) {
      return new SignalboxError(cause.type, cause.message, data, { cause });
    }
  }
  return new SignalboxError('conflict', cause?.message ?? err.message, {}, { cause: err });
}

/** Sends one update and gives its result. Throws `no-worker` (503), or the workflow's own refusal. */
export async function sendUpdate<Result, Input extends Actor>(
  deps: ApiDeps,
  task: { repo: string; workItem: string },
  definition: UpdateDefinition<Result, [Input]>,
  input: Omit<Input, 'expiresAt'>,
): Promise<Result> {
  const deadline = Date.now() + PATIENCE_MS;
  const handle = deps.temporal.workflow.getHandle(taskWorkflowId(task.repo, task.workItem));
  const args = { ...input, expiresAt: new Date(deadline - MARGIN_MS).toISOString() } as unknown as Input;
  try {
    return await deps.temporal.withDeadline(deadline, () => handle.executeUpdate(definition, { args: [args] }));
  } catch (err) {
    if (err instanceof WorkflowUpdateFailedError) throw refusal(err);
    if (err instanceof WorkflowUpdateRPCTimeoutOrCancelledError) throw noWorker(err);
    if (err instanceof WorkflowNotFoundError) {
      throw new SignalboxError(
        'conflict',
        'the workflow of this task is not running',
        { retryAfter: 1 },
        { cause: err },
      );
    }
    if (isGrpcServiceError(err)) {
      throw new SignalboxError('unavailable', 'Temporal did not answer', { retryAfter: 5 }, { cause: err });
    }
    throw err;
  }
}
