import Type from 'typebox';
import { FAILURE_POLICIES } from '../../domain/pipeline/dependencies.js';
import { Later } from '../validation.js';
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
  REPO_ID,
  repoId,
  stageName,
  text,
} from './common.js';

const LONG = 16 * 1024 * 1024; // the body limit is the real bound
const title = line(500, 'One line; becomes the subject of the landing.');
const description = text(LONG, 'What to do; the agents read it word for word.');
const word = (description: string) =>
  Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:/@\\[\\]-]{0,127}$', description });

const taskRef = Type.String({
  pattern: '^[a-z0-9][a-z0-9._-]{0,63}/[A-Z][A-Z0-9]{0,15}-[0-9]{1,9}$',
  description: 'A task, like web/ET-003.',
});
const onFailure = Type.Enum([...FAILURE_POLICIES], {
  description:
    'When that one is cancelled or fails: wait until it is retried and done (the default), go on without it, or be cancelled too.',
});
const stack = Type.Boolean({
  description: 'Begin with its work as soon as it is in the merge queue, and land after it; of the same repository.',
});

export const CreateTask = closed({
  repo: repoId,
  title,
  description: optional(description),
  source: optional(line(100, 'The tracker the task comes from; together with `externalId` the task exists once.')),
  externalId: optional(line(500, 'The tracker’s own id.')),
  number: optional(
    Type.Integer({
      minimum: 1,
      maximum: 999_999_999,
      description: 'The tracker’s own number: 12 → ET-012, or the next free.',
    }),
  ),
  branch: optional(line(255, 'Work on this branch instead of `signalbox/<work item>`; one that exists is the start.')),
  dependsOn: optional(
    Type.Array(
      Type.Union([taskRef, closed({ task: taskRef, onFailure: optional(onFailure), stack: optional(stack) })]),
      {
        maxItems: 100,
        description: 'Tasks that come first; plain names stand for `{"task":NAME}`.',
      },
    ),
  ),
  priority: optional(priority),
  notBefore: Later('Not to be started before this time.'),
  pipeline: optional(Type.Unknown({ description: 'Stages of this task alone.' })),
  maxAttempts: optional(
    Type.Integer({
      minimum: 1,
      maximum: 100,
      description: 'Faults allowed per stage and visit; a stage may say its own.',
    }),
  ),
  budgetUsd: Later('Most money the task may cost.'),
});
export type CreateTask = Type.Static<typeof CreateTask>;

export const PatchTask = closed({
  title: Type.Optional(title),
  description: Type.Optional(description),
  priority: Type.Optional(priority),
  dependsOn: Later('Tasks that must be done before.'),
});

export const Decide = closed({
  stage: stageName,
  sha: Type.String({
    pattern: '^[0-9a-f]{40}([0-9a-f]{24})?$',
    description: 'The commit that was read: `waitingOn.artifact.sha`.',
  }),
  reason: optional(text(20_000, 'Why; on a rejection it goes into the next prompt.')),
});
export const Reject = closed({
  ...Decide.properties,
  final: Type.Optional(Type.Boolean({ description: 'Cancel the task instead of sending the work back.' })),
});
export const Answer = closed({
  text: Type.String({
    minLength: 1,
    maxLength: LONG,
    pattern: '^[^\\u0000]*$',
    description: 'Goes into the next prompt.',
  }),
});
export const Cancel = closed({ reason: optional(text(20_000, 'Why.')) });
export const Nothing = closed({});
export const Redo = closed({
  stage: stageName,
  agent: optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'Another agent profile.' })),
  model: optional(word('Another model.')),
  effort: optional(word('Another effort.')),
  prompt: optional(text(LONG, 'Added to the prompt.')),
});

export type Redo = Type.Static<typeof Redo>;

export const TaskQuery = closed({
  repo: Type.Optional(Type.String({ pattern: REPO_ID })),
  state: Type.Optional(Type.Enum(['queued', 'running', 'waiting', 'done', 'failed', 'cancelled'])),
  stage: Type.Optional(stageName),
  externalId: Type.Optional(line(500, 'The tracker’s own id.')),
  source: Type.Optional(line(100, 'The tracker.')),
  branch: Type.Optional(line(255, 'Its branch.')),
  ...pageQuery,
});
export const PageQuery = closed(pageQuery);
export const ArtifactParams = closed({
  repo: Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$' }),
  workItem: Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$' }),
  stage: stageName,
});
export const ArtifactQuery = closed({ sha: Type.Optional(oid) });
export const DiffQuery = closed({
  against: Type.Optional(Type.Enum(['base'], { description: 'What to compare with.' })),
});

const Waiting = open(
  {
    kind: Type.String({ description: 'What is waited for.' }),
    since: Type.String(),
    until: nullable(Type.String()),
    detail: Type.String(),
    code: nullable(Type.String()),
    artifact: nullable(open({ path: nullable(Type.String()), sha: Type.String() })),
    unblockedBy: Type.Array(Type.String(), { description: 'Who or what can end the wait.' }),
    links: Type.Record(Type.String(), Type.String()),
  },
  'What the task waits for.',
);
const taskFields = {
  repo: Type.String(),
  workItem: Type.String(),
  task: Type.String({ description: '`web/ET-012`' }),
  workflowId: Type.String(),
  title: Type.String(),
  description: Type.String(),
  source: nullable(Type.String()),
  externalId: nullable(Type.String()),
  state: Type.String({ description: 'queued, running, waiting, done, failed or cancelled.' }),
  stage: Type.String(),
  dependsOn: Type.Array(open({ task: Type.String(), onFailure: Type.String(), stack: Type.Boolean() })),
  stackBase: nullable(Type.String({ description: 'The commit of another task that the branch was cut from.' })),
  agentRunning: nullable(Type.String()),
  branch: Type.String(),
  head: nullable(Type.String()),
  priority: Type.String(),
  waitingOn: nullable(Waiting),
  landed: nullable(
    open({
      ...{ commit: Type.String(), tree: Type.String(), base: Type.String(), plan: Type.String(), at: Type.String() },
      checkoutBehind,
    }),
  ),
  pullRequest: nullable(
    open(
      {
        number: nullable(Type.Integer()),
        url: nullable(Type.String()),
        state: nullable(Type.String({ description: 'open, merged or closed.' })),
        behind: nullable(Type.String({ description: 'Why the forge does not show the task as it is.' })),
      },
      'The pull request that shows it, where the strategy of the repository is `pr`.',
    ),
  ),
  endReason: nullable(Type.String({ description: 'Why it is over, and who wanted it; null while it is not.' })),
  counters: open({
    faults: Type.Integer(),
    transient: Type.Integer(),
    followUps: Type.Integer(),
    humanWaits: Type.Integer(),
  }),
  humanSeconds: Type.Number(),
  cost: open({
    usd: Type.Number(),
    inputTokens: Type.Integer(),
    outputTokens: Type.Integer(),
    cacheReadTokens: Type.Integer(),
    cacheCreationTokens: Type.Integer(),
  }),
  generation: Type.Integer(),
  createdAt: Type.String(),
  updatedAt: Type.String({ description: 'Moves with the stage only.' }),
};
export const TaskAnswer = open(taskFields, 'A task.');
export const DecidedTask = open(
  {
    ...taskFields,
    decision: open({
      stage: Type.String(),
      sha: Type.String(),
      verdict: Type.String(),
      by: Type.String(),
      at: Type.String(),
    }),
  },
  'The task and the decision that stands for this commit.',
);
export const TaskList = listOf(TaskAnswer);
export const Explanation = open({
  chain: Type.Array(
    open({
      kind: Type.String(),
      since: Type.String(),
      until: nullable(Type.String()),
      detail: Type.String(),
      unblockedBy: Type.Array(Type.String()),
      links: Type.Record(Type.String(), Type.String()),
    }),
    { description: 'What is waited for, the nearest first.' },
  ),
  stale: Type.Boolean({ description: 'True when no worker answered and the stored row was read instead.' }),
});
export const Timeline = listOf(
  open({ id: Type.Integer(), at: Type.String(), kind: Type.String(), data: Type.Unknown() }),
);
