/**
 * Signals are heard by what they say, not by who sends them: anybody with the Temporal command line can send one of any
 * shape. One that is not what we send ourselves is logged and left out; an error in a handler would stop the workflow.
 */
import { log, setHandler, type SignalDefinition } from '@temporalio/workflow';
import Type, { type TProperties, type TSchema } from 'typebox';
import { Errors } from 'typebox/schema';
import { PRIORITIES } from '../domain/tasks.js';

const VERDICTS = ['green', 'red', 'none', 'fault'];
const text = Type.String();
const count = Type.Number();
const nullable = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()]);
const of = (kind: string, fields: TProperties): TSchema => Type.Object({ kind: Type.Literal(kind), ...fields });

const priority = Type.Enum([...PRIORITIES]);
const failedCheck = Type.Object({ name: text, command: Type.Array(text), exitCode: nullable(count), tail: text });
const landing = Type.Object({
  ...{ entry: text, task: text, generation: count, head: text, verdict: Type.Enum([...VERDICTS, 'unknown']) },
  ...{ commit: text, tree: text, base: text, plan: text, at: text },
  checkoutBehind: Type.Optional(nullable(Type.Object({ reason: text, mendedBy: text }))),
});
const outcome = Type.Union([
  of('landed', { landing }),
  of('contained', {}),
  of('conflict', { conflict: Type.Object({ paths: Type.Array(text), hunks: text }), baseOid: text }),
  of('red', { failed: nullable(failedCheck) }),
  of('refused', { reason: text }),
  of('withdrawn', { reason: text }),
]);
const verdict = Type.Object({
  ...{ key: text, repo: text, tree: text, configHash: text, verdict: Type.Enum(VERDICTS), at: text },
  ...{ failed: nullable(failedCheck), flaky: Type.Boolean(), reason: nullable(text) },
});
const request = Type.Object({
  ...{ repo: text, base: text, task: text, workItem: text, generation: count, head: text, try: count, entry: text },
  ...{ workflowId: text, title: text, priority, enqueuedAt: text },
  stackBase: Type.Optional(nullable(text)),
});
const words = Type.Object({ version: count, title: text, priority });
const edit = Type.Object({ version: count, priority: nullable(priority), fix: Type.Boolean() });
const times = Type.Object({
  ...{ mergeLease: count, hostStale: count, backoffBase: count, backoffMax: count },
  repairWait: Type.Optional(count),
});

/** The arguments of each signal; more fields than these are no fault. Those that may be absent may be null. */
const ARGUMENTS: Record<string, TSchema[]> = {
  changed: [words],
  runGranted: [Type.Object({ runId: text, host: text })],
  hostChanged: [Type.Object({ runId: text, away: nullable(text) })],
  dependencySettled: [Type.Object({ id: text })],
  checkSettled: [Type.Object({ id: text, verdict })],
  mergeSettled: [Type.Object({ id: text, outcome })],
  enqueue: [request, nullable(times), nullable(edit)],
  withdraw: [Type.Object({ id: text, reason: text })],
  entryChanged: [Type.Object({ id: text, change: words })],
  taskEnded: [Type.Object({ id: text })],
  entryEdited: [Type.Object({ id: text, edit })],
  gateChanged: [Type.Object({ id: text, acceptTip: nullable(text) }), nullable(times)],
  subscribe: [Type.Object({ workflowId: text })],
  unsubscribe: [Type.Object({ workflowId: text })],
  statusNews: [Type.Object({ id: text })],
};

/** Hears a signal whose arguments have the shape that we send. */
export function hear<Args extends unknown[]>(signal: SignalDefinition<Args>, handle: (...args: Args) => void): void {
  const schemas = ARGUMENTS[signal.name];
  if (schemas === undefined) throw new Error(`the arguments of the signal ${signal.name} are not described`);
  setHandler(signal, (...args: Args) => {
    const [fault] = schemas.flatMap((schema, i) => Errors(schema, args[i] ?? null)[1]);
    if (fault === undefined) handle(...args);
    else
      log.warn('a signal of another shape is left out', {
        signal: signal.name,
        at: fault.instancePath,
        fault: fault.message,
      });
  });
}
