/**
 * Signals are heard by what they say, not by who sends them: anybody with the Temporal command line can send one of any
 * shape. One that is not what we send ourselves is logged and left out; an error in a handler would stop the workflow.
 */
import { log, setHandler, type SignalDefinition } from '@temporalio/workflow';
import {
  argumentsFault,
  count,
  flag,
  kinds,
  listOf,
  nullable,
  object,
  oneOf,
  optional,
  text,
} from '../domain/shapes.js';
import type { Shape } from '../domain/shapes.js';
import { PRIORITIES } from '../domain/tasks.js';

const VERDICTS = ['green', 'red', 'none', 'fault'];
const priority = oneOf(PRIORITIES);
const failedCheck = object({ name: text, command: listOf(text), exitCode: nullable(count), tail: text });
const landing = object({
  ...{ entry: text, task: text, generation: count, head: text, verdict: oneOf([...VERDICTS, 'unknown']) },
  ...{ commit: text, tree: text, base: text, plan: text, at: text },
  checkoutBehind: optional(object({ reason: text, mendedBy: text })),
});
const outcome = kinds({
  landed: { landing },
  contained: {},
  conflict: { conflict: object({ paths: listOf(text), hunks: text }), baseOid: text },
  red: { failed: nullable(failedCheck) },
  refused: { reason: text },
  withdrawn: { reason: text },
});
const verdict = object({
  ...{ key: text, repo: text, tree: text, configHash: text, verdict: oneOf(VERDICTS), at: text },
  ...{ failed: nullable(failedCheck), flaky: flag, reason: nullable(text) },
});
const request = object({
  ...{ repo: text, base: text, task: text, workItem: text, generation: count, head: text, try: count, entry: text },
  ...{ workflowId: text, title: text, priority, enqueuedAt: text },
});
const words = object({ version: count, title: text, priority });
const edit = object({ version: count, priority: nullable(priority), fix: flag });
const times = optional(object({ mergeLease: count, hostStale: count, backoffBase: count, backoffMax: count }));

const SHAPES: Record<string, Shape[]> = {
  changed: [words],
  runGranted: [object({ runId: text, host: text })],
  hostChanged: [object({ runId: text, away: nullable(text) })],
  checkSettled: [object({ id: text, verdict })],
  mergeSettled: [object({ id: text, outcome })],
  enqueue: [request, times, optional(edit)],
  withdraw: [object({ id: text, reason: text })],
  entryChanged: [object({ id: text, change: words })],
  entryEdited: [object({ id: text, edit })],
  gateChanged: [object({ id: text, acceptTip: nullable(text) }), times],
  subscribe: [object({ workflowId: text })],
};

/** Hears a signal whose arguments have the shape that we send. */
export function hear<Args extends unknown[]>(signal: SignalDefinition<Args>, handle: (...args: Args) => void): void {
  const shapes = SHAPES[signal.name];
  if (shapes === undefined) throw new Error(`the signal ${signal.name} has no shape`);
  setHandler(signal, (...args: Args) => {
    const fault = argumentsFault(args, shapes);
    if (fault === null) handle(...args);
    else log.warn('a signal of another shape is left out', { signal: signal.name, fault });
  });
}
