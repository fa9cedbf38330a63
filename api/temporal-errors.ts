/** What goes wrong on the way to a workflow, as errors of the registry. */
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ERRORS, SignalboxError, type ErrorCode, type ErrorData } from '../domain/errors.js';

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

/** The client wraps what the connection reports, a deadline that passed too. */
const isOutage = (err: unknown): boolean =>
  isGrpcServiceError(err) || (err instanceof ServiceError && isGrpcServiceError(err.cause));

/**
 * 409 when `what` (a workflow, in words) is not running, 503 when Temporal or a worker did not answer, the workflow's own
 * refusal; anything else as it is.
 */
export function fromTemporal(err: unknown, what: string): unknown {
  if (err instanceof WorkflowUpdateFailedError) return refusal(err);
  if (err instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return noWorker(err);
  if (err instanceof WorkflowNotFoundError) {
    return new SignalboxError('conflict', `${what} is not running`, { retryAfter: 1 }, { cause: err });
  }
  if (isOutage(err)) {
    return new SignalboxError('unavailable', 'Temporal did not answer', { retryAfter: 5 }, { cause: err });
  }
  return err;
}
