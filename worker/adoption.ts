/**
 * Taking over from a dead predecessor. Its activities would only be tried again when their heartbeats time out, minutes
 * from now; a worker that knows that the process is dead fails them at once, retryably, and the retry re-attaches to
 * what still runs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import proto from '@temporalio/proto';

const { PendingActivityState } = proto.temporal.api.enums.v1;

/** A task that was on its way to the dead process is handed out a moment after our first look. */
const LOOKS_MS = [0, 5_000, 30_000];
const AT_ONCE = 8;

/** `web-1#7`: the host and its incarnation, in every history event of this worker. */
export const workerIdentity = (hostId: string, incarnation: number): string => `${hostId}#${incarnation}`;

/** True for the identity of an earlier incarnation of the same host. */
export function isPredecessor(identity: string, hostId: string, incarnation: number): boolean {
  const cut = identity.lastIndexOf('#');
  const number = identity.slice(cut + 1);
  return cut > 0 && identity.slice(0, cut) === hostId && /^\d+$/.test(number) && Number(number) < incarnation;
}

export interface AdoptionOptions {
  client: Client;
  hostId: string;
  incarnation: number;
  log: Logger;
  signal: AbortSignal;
}

/** Looks a few times and returns; a look that fails is only a slower start. */
export async function adoptPredecessorsWork(options: AdoptionOptions): Promise<void> {
  for (const [n, at] of LOOKS_MS.entries()) {
    const pause = at - (LOOKS_MS[n - 1] ?? 0);
    await sleep(pause, undefined, { signal: options.signal }).catch(() => undefined); // a stop ends the wait
    if (options.signal.aborted) return;
    try {
      const failed = await failPredecessorsActivities(options);
      if (failed > 0) options.log.info({ activities: failed }, 'took over from the predecessor');
    } catch (err) {
      options.log.warn({ err }, 'looking for work of the predecessor failed');
    }
  }
}

async function failPredecessorsActivities(options: AdoptionOptions): Promise<number> {
  const query = `ExecutionStatus = "Running" AND WorkflowType IN ("task", "check", "mergeQueue")`;
  let failed = 0;
  let batch: Promise<number>[] = [];
  for await (const { workflowId, runId } of options.client.workflow.list({ query })) {
    batch.push(failActivitiesOf(options, workflowId, runId));
    if (batch.length < AT_ONCE) continue;
    failed += sum(await Promise.all(batch));
    batch = [];
  }
  return failed + sum(await Promise.all(batch));
}

async function failActivitiesOf(options: AdoptionOptions, workflowId: string, runId: string): Promise<number> {
  const { client, hostId, incarnation, log } = options;
  const { namespace } = client.options;
  const execution = { workflowId, runId };
  const described = await client.workflowService.describeWorkflowExecution({ namespace, execution });
  let failed = 0;
  for (const activity of described.pendingActivities) {
    if (activity.state !== PendingActivityState.PENDING_ACTIVITY_STATE_STARTED) continue;
    if (!isPredecessor(activity.lastWorkerIdentity ?? '', hostId, incarnation)) continue;
    try {
      await client.workflowService.respondActivityTaskFailedById({
        ...{ namespace, workflowId, runId, activityId: activity.activityId ?? '' },
        identity: workerIdentity(hostId, incarnation),
        failure: {
          message: `the worker ${activity.lastWorkerIdentity ?? ''} is gone`,
          applicationFailureInfo: { type: 'worker-lost', nonRetryable: false },
        },
      });
      failed += 1;
    } catch (err) {
      // It settled or timed out meanwhile; the next look sees what is left.
      log.debug({ err, workflowId }, 'an activity of the predecessor could not be failed');
    }
  }
  return failed;
}

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
