/**
 * The records of a run as the worker reads them. An agent can write them, so they count only in exactly the shape that
 * a supervisor writes; what else is there, nobody of ours wrote. Closed shapes also bound how deep a record goes.
 */
import Type, { type Static, type TSchema } from 'typebox';
import { Check } from 'typebox/value';
import type { ExitRecord } from '../../domain/agents/exit.js';
import { readRecord, runFiles, type ShimRecord } from './records.js';

const closed = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const count = (maximum: number) => Type.Integer({ minimum: 0, maximum });

const Text = Type.String();
const MaybeText = orNull(Text);
const Bytes = count(Number.MAX_SAFE_INTEGER);
const Seconds = Type.Number({ minimum: 0, maximum: 1e9 });
const ExitCode = orNull(count(255));
const Limit = orNull(Type.Union([Type.Literal('wall'), Type.Literal('stall')]));
/** The kernel's own limit on 64 bits. */
const Pid = count(4_194_304);
const Counter = count(2 ** 31 - 1);

const Shim = closed({
  tombstone: Type.Boolean(),
  pid: Pid,
  startTime: Text,
  bootId: Text,
  runId: Text,
  attempt: Counter,
  fence: Counter,
  seal: Text,
  reason: MaybeText,
  at: Text,
});

const Command = closed({
  name: Text,
  code: ExitCode,
  signal: MaybeText,
  spawnError: MaybeText,
  limit: Limit,
  logFrom: Bytes,
  seconds: Seconds,
});

const SetupEnd = (['none', 'cached', 'ran', 'failed', 'timeout'] as const).map((end) => Type.Literal(end));

const Exit = closed({
  proof: Text,
  mac: Text,
  startedAt: Text,
  at: Text,
  phase: Type.Union([Type.Literal('refresh'), Type.Literal('setup'), Type.Literal('commands')]),
  trouble: MaybeText,
  setup: closed({ end: Type.Union(SetupEnd), code: ExitCode, seconds: Seconds }),
  commands: Type.Array(Command),
  code: ExitCode,
  signal: MaybeText,
  limit: Limit,
  stoppedBy: orNull(Type.Union([Type.Literal('request'), Type.Literal('host')])),
  stopReason: MaybeText,
  outputBytes: Bytes,
  outputTruncated: Type.Boolean(),
  cutLines: Bytes,
  result: Type.Union([Type.Literal('absent'), Type.Literal('copied'), Type.Literal('refused')]),
  resultHash: MaybeText,
  resultError: MaybeText,
  leftoversCommitted: Type.Boolean(),
  leftoversError: MaybeText,
  survivors: Counter,
});

/** The claim of a run; null when there is none of ours. */
export function readShim(runDir: string): ShimRecord | null {
  const record = readRecord(runFiles(runDir).shim);
  const known: Static<typeof Shim> | null = Check(Shim, record) ? record : null;
  return known;
}

/** The exit record of a run; null when there is none of ours. Whether it is believed is another question. */
export function readExit(runDir: string): ExitRecord | null {
  const record = readRecord(runFiles(runDir).exit);
  const known: Static<typeof Exit> | null = Check(Exit, record) ? record : null;
  return known;
}
