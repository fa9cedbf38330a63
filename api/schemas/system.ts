import Type from 'typebox';
import { LOG_STREAMS } from '../../domain/agents/logs.js';
import { LaterValues } from '../validation.js';
import {
  checkoutBehind,
  closed,
  line,
  listOf,
  nullable,
  oid,
  open,
  optional,
  pageQuery,
  priority,
  repoId,
  text,
} from './common.js';

// Nothing holds new work back in this version: a gate of that scope would be taken and do nothing.
const scope = LaterValues(['all', 'landing'], ['admission'], 'What is held: landings, or whatever can be held.');
const base = line(255, 'Only landings on this branch; null = all.');
export const SetGate = closed({
  reason: optional(text(2000, 'Why; shown to everybody who waits.')),
  scope: optional(scope),
  base: optional(base),
});
export type SetGate = Type.Static<typeof SetGate>;
export const Resume = closed({
  ...SetGate.properties,
  acceptTip: optional(oid),
});
export const Unfreeze = closed({
  ...SetGate.properties,
  id: optional(Type.Integer({ minimum: 1, description: 'One freeze; all active ones unless given.' })),
});
export const SerialGateUnfreeze = closed({ repo: repoId, reason: optional(text(2000, 'Why.')) });

export const QueueQuery = closed({ base: Type.Optional(base) });
export const EntryParams = closed({
  repo: Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$' }),
  entry: Type.String({ pattern: '^[0-9a-f]{8,64}$', description: 'Entry id.' }),
});
export const PatchEntry = closed({
  priority: Type.Optional(priority),
  fix: Type.Optional(
    Type.Boolean({ description: 'Whether it may land while base is frozen: the fix of what froze it.' }),
  ),
});

export const GateAnswer = open({
  repo: Type.String(),
  base: Type.String({ description: 'The base branch that `state` is of.' }),
  state: Type.String({
    description: 'State of the queue of the base branch: running, paused, draining, frozen or blocked.',
  }),
  gates: Type.Array(Type.Unknown(), { description: 'What holds the repository now.' }),
});
export const Freeze = open({
  id: Type.Integer(),
  kind: Type.String(),
  scope: Type.String(),
  base: nullable(Type.String()),
  reason: Type.String(),
  by: Type.String(),
  since: Type.String(),
  clearedAt: nullable(Type.String()),
  clearedBy: nullable(Type.String()),
});
export const FreezeList = listOf(Freeze);
export const MergeQueue = open(
  {
    repo: Type.String(),
    base: Type.String(),
    state: Type.String({ description: 'running, paused, draining, frozen or blocked.' }),
    reason: nullable(Type.String()),
    entries: Type.Array(
      open({
        entry: Type.String(),
        task: Type.String(),
        workspace: Type.Null(),
        position: Type.Integer(),
        phase: Type.String(),
        head: Type.String(),
        priority: Type.String(),
        fix: Type.Boolean({ description: 'May land while base is frozen.' }),
        since: Type.String(),
        detail: nullable(Type.String({ description: 'What holds it up, in words.' })),
        waitsFor: Type.Optional(
          nullable(Type.String({ description: 'The task whose repair comes first, since it touches the same paths.' })),
        ),
        etaSeconds: nullable(Type.Number({ description: 'Expected until it lands; null while nothing is known.' })),
        etaLowSeconds: nullable(
          Type.Number({
            description:
              'About eight of ten land between this and etaHighSeconds, fewer while less than 20 landings are known.',
          }),
        ),
        etaHighSeconds: nullable(Type.Number()),
      }),
    ),
    landed: Type.Array(
      open({
        entry: Type.String(),
        task: Type.String(),
        plan: Type.String(),
        commit: Type.String(),
        tree: Type.String(),
        base: Type.String(),
        verdict: Type.String(),
        at: Type.String(),
        checkoutBehind,
      }),
      { description: 'Newest first.' },
    ),
  },
  'The merge queue of a base branch.',
);

export const JobsQuery = closed({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'How many recent jobs.' })),
});
export const Jobs = open({
  counts: open({ queued: Type.Integer(), running: Type.Integer(), done: Type.Integer(), failed: Type.Integer() }),
  recent: Type.Array(Type.Unknown()),
  dependencies: Type.Array(Type.Array(Type.String())),
});
export const EventsQuery = closed({
  ticket: Type.Optional(Type.String({ maxLength: 200 })),
  repo: Type.Optional(repoId),
});
export const AuditQuery = closed({
  subject: Type.Optional(line(500, 'Only rows about this, for example `web/ET-012`.')),
  ...pageQuery,
});
export const LogQuery = closed({
  stream: Type.Optional(
    Type.Enum(LOG_STREAMS, {
      description: 'What the agent printed on stdout (unless given), on stderr, or what the setup before it printed.',
    }),
  ),
  follow: Type.Optional(Type.Boolean({ description: 'Stay and stream new output, as server-sent events.' })),
  ticket: Type.Optional(Type.String({ maxLength: 200 })),
});
export const CheckLogQuery = closed({
  ...LogQuery.properties,
  stream: Type.Optional(
    Type.Enum(['stdout', 'setup'], {
      description: 'What the checks printed, stderr with stdout (unless given), or what the setup before them printed.',
    }),
  ),
});
export const CheckAnswer = open(
  {
    id: Type.String(),
    repo: Type.String(),
    task: nullable(Type.String()),
    workflowId: Type.String(),
    status: Type.String({ description: 'running, done (green) or failed.' }),
    error: nullable(Type.String({ description: 'Which check is red, or why it could not be run.' })),
    startedAt: nullable(Type.String()),
    finishedAt: nullable(Type.String()),
  },
  'One execution of the checks of a tree.',
);
export const CheckList = listOf(CheckAnswer);
export const RunAnswer = open(
  {
    id: Type.String(),
    task: Type.String(),
    stage: Type.String(),
    attempt: Type.Integer(),
    agent: Type.String(),
    adapter: Type.String(),
    model: nullable(Type.String()),
    effort: nullable(Type.String()),
    status: Type.String(),
    exitCode: nullable(Type.Integer()),
    failureClass: nullable(Type.String()),
    usage: nullable(Type.Unknown()),
    costUsd: nullable(Type.Number()),
    costKnown: Type.Boolean(),
    host: Type.String(),
    pid: nullable(Type.Integer()),
    startedAt: Type.String(),
    finishedAt: nullable(Type.String()),
  },
  'A run of an agent.',
);
export const RunList = listOf(RunAnswer);
export const Health = open({ status: Type.String(), version: Type.String() });
export const Readiness = open({
  status: Type.String(),
  parts: Type.Record(Type.String(), Type.String(), { description: '`ok` or `away` for each part.' }),
});
