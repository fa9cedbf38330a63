/** How workflow code says no, and how it reads what activities say. Error codes travel as the failure's type. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { ErrorCode } from '../domain/errors.js';

/** Refuses an update; the API turns type, message and details back into its own error. */
export function refusal(code: ErrorCode, message: string, data: Record<string, unknown> = {}): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [data] });
}

/** Why an activity gave up, for people. */
export function reasonOf(err: unknown): string {
  const cause = err instanceof ActivityFailure ? err.cause : err;
  if (cause instanceof ApplicationFailure) return `${cause.message} (${cause.type ?? 'error'})`;
  if (cause instanceof TimeoutFailure) return `timed out (${cause.timeoutType})`;
  return cause instanceof Error ? cause.message : String(cause);
}
