/**
 * The one place where errors of activities become Temporal failures: the type is the error code, `retryable` of the
 * registry decides about retries, `details` carries the data. An error nobody foresaw is `internal`: not retried, so
 * that the workflow turns it into a wait for a person instead of hiding it behind endless attempts.
 */
import { CompleteAsyncError } from '@temporalio/activity';
import { isGrpcServiceError } from '@temporalio/client';
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { SignalboxError } from '../domain/errors.js';
import { toStoreError } from '../store/db.js';

/** What to throw out of an activity for `err`. Temporal's own failures (cancellation too) pass as they are. */
export function toFailure(err: unknown): Error {
  if (err instanceof TemporalFailure || err instanceof CompleteAsyncError) return err;
  const known = recognise(err);
  return ApplicationFailure.create({
    message: known.message,
    type: known.code,
    nonRetryable: !known.retryable,
    details: [known.data],
    ...(known.cause instanceof Error ? { cause: known.cause } : {}),
  });
}

function recognise(err: unknown): SignalboxError {
  const mapped = toStoreError(err);
  if (mapped instanceof SignalboxError) return mapped;
  if (isUnavailable(err)) return new SignalboxError('unavailable', `Temporal: ${String(err)}`, {}, { cause: err });
  const message = err instanceof Error ? err.message : String(err);
  return new SignalboxError('internal', message, {}, { cause: err });
}

/** A call to the Temporal server that failed for reasons of the connection; the client wraps some of them. */
function isUnavailable(err: unknown): boolean {
  return isGrpcServiceError(err) || (err instanceof Error && isGrpcServiceError(err.cause));
}

type Activities = Record<string, (...args: never[]) => Promise<unknown>>;

/** The same activities, with every error mapped. */
export function asActivities<T extends object>(activities: T): T {
  const wrapped = Object.entries(activities as Activities).map(([name, activity]) => [
    name,
    async (...args: never[]): Promise<unknown> => {
      try {
        return await activity(...args);
      } catch (err) {
        throw toFailure(err);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}
