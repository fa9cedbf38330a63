/** Heartbeats for the whole of an activity, and the one reason for which it ends what it watches. */
import { Context } from '@temporalio/activity';

const HEARTBEAT_MS = 5_000;

/** Runs `action` while a timer tells where it is; offsets and counters only. */
export async function withHeartbeat<T>(details: () => unknown, action: (ended: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  context.heartbeat(details());
  const timer = setInterval(() => context.heartbeat(details()), HEARTBEAT_MS);
  try {
    return await action(context.cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}

/** The workflow wants it to end; a shutdown of the worker, a timeout or a newer attempt are none of its concern. */
export function isWorkflowCancel(): boolean {
  const details = Context.current().cancellationDetails;
  return details?.cancelRequested === true && !details.workerShutdown;
}
