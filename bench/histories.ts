/** Reads workflow histories: which activities ran and how long, and what a history costs in Temporal actions. */
import type { Client } from '@temporalio/client';

export type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

export interface ActivitySpan {
  type: string;
  /** Start to completion, milliseconds. */
  ms: number;
}

/** Every activity of a history that completed. */
export function activitySpans(history: History): ActivitySpan[] {
  const types = new Map<string, string>();
  const starts = new Map<string, number>();
  const spans: ActivitySpan[] = [];
  for (const event of history.events ?? []) {
    const id = String(event.eventId);
    if (event.activityTaskScheduledEventAttributes) {
      types.set(id, event.activityTaskScheduledEventAttributes.activityType?.name ?? '');
    } else if (event.activityTaskStartedEventAttributes) {
      starts.set(String(event.activityTaskStartedEventAttributes.scheduledEventId), millis(event.eventTime));
    } else if (event.activityTaskCompletedEventAttributes) {
      const scheduled = String(event.activityTaskCompletedEventAttributes.scheduledEventId);
      spans.push({ type: types.get(scheduled) ?? '', ms: millis(event.eventTime) - (starts.get(scheduled) ?? 0) });
    }
  }
  return spans;
}

export interface LandingSpan {
  /** From the end of the publish before it to the end of its own, without its git part. */
  betweenMs: number;
  gitMs: number;
  activities: number;
}

const GIT = ['prepareLanding', 'publishLanding', 'fenceLanding'];

/** The landings of a merge queue's history, each from the end of the publish before it; the first from the first event. */
export function landingSpans(history: History): LandingSpan[] {
  const events = history.events ?? [];
  const scheduled = new Map<string, string>();
  const started = new Map<string, number>();
  const spans: LandingSpan[] = [];
  let from = millis(events[0]?.eventTime);
  let gitMs = 0;
  let activities = 0;
  for (const event of events) {
    const id = String(event.eventId);
    const asked = event.activityTaskScheduledEventAttributes;
    const began = event.activityTaskStartedEventAttributes;
    const done = event.activityTaskCompletedEventAttributes;
    if (asked) scheduled.set(id, asked.activityType?.name ?? '');
    if (began) started.set(String(began.scheduledEventId), millis(event.eventTime));
    if (!done) continue;
    const key = String(done.scheduledEventId);
    const type = scheduled.get(key) ?? '';
    const now = millis(event.eventTime);
    activities += 1;
    if (GIT.includes(type)) gitMs += now - (started.get(key) ?? now);
    if (type !== 'publishLanding') continue;
    spans.push({ betweenMs: now - from - gitMs, gitMs, activities });
    [from, gitMs, activities] = [now, 0, 0];
  }
  return spans;
}

/** First to last event, milliseconds. */
export function elapsed(history: History): number {
  const events = history.events ?? [];
  return millis(events.at(-1)?.eventTime) - millis(events[0]?.eventTime);
}

/**
 * Billable actions of a history by Temporal Cloud's list (start, activities and their retries, timers, signals,
 * updates, search attribute upserts, continue-as-new, signals to other workflows). Heartbeats are not in histories.
 */
export function countActions(history: History): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (name: string, n = 1): void => void (counts[name] = (counts[name] ?? 0) + n);
  for (const event of history.events ?? []) {
    if (event.workflowExecutionStartedEventAttributes) add('starts');
    if (event.activityTaskScheduledEventAttributes) add('activities');
    if (event.activityTaskStartedEventAttributes)
      add('retries', (event.activityTaskStartedEventAttributes.attempt ?? 1) - 1);
    if (event.timerStartedEventAttributes) add('timers');
    if (event.workflowExecutionSignaledEventAttributes) add('signals');
    if (event.signalExternalWorkflowExecutionInitiatedEventAttributes) add('signalsSent');
    if (event.workflowExecutionUpdateAcceptedEventAttributes) add('updates');
    if (event.upsertWorkflowSearchAttributesEventAttributes) add('searchAttributes');
    if (event.workflowExecutionContinuedAsNewEventAttributes) add('continueAsNew');
  }
  return counts;
}

function millis(time: { seconds?: { toNumber(): number } | null; nanos?: number | null } | null | undefined): number {
  return (time?.seconds?.toNumber() ?? 0) * 1000 + (time?.nanos ?? 0) / 1e6;
}
