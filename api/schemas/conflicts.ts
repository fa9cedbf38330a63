import Type from 'typebox';
import { closed, line, nullable, open } from './common.js';

export const ConflictsQuery = closed({
  base: Type.Optional(line(255, 'A base branch; that of the repository unless given.')),
});

const paths = Type.Array(Type.String(), { description: 'The conflicted paths, at most 50.' });
const obstacle = open({
  kind: Type.String({ description: 'base, or entry: the work of another task that is ahead in the merge queue.' }),
  name: Type.String({ description: 'The base branch, or the task.' }),
  oid: Type.String({ description: 'The commit of it that was looked at.' }),
  paths,
});
const side = open({
  name: Type.String({ description: 'The base branch, or a task.' }),
  oid: Type.String(),
});

export const Conflicts = open(
  {
    repo: Type.String(),
    base: Type.String(),
    baseOid: nullable(
      Type.String({ description: 'Where base was when it was looked at; null before the first scan.' }),
    ),
    flags: Type.Array(
      open({
        task: Type.String(),
        head: Type.String(),
        since: Type.String(),
        against: Type.Array(obstacle),
      }),
      { description: 'Live tasks whose work cannot land as things are, the oldest flag first.' },
    ),
    pairs: Type.Array(open({ a: side, b: side, paths }), {
      description: 'Whatever does not merge: base with the head of a task, or the heads of two; at most 1000.',
    }),
    scan: nullable(
      open(
        {
          at: nullable(Type.String()),
          scanned: Type.Integer({ description: 'Live tasks that were looked at.' }),
          flagged: Type.Integer({ description: 'Of these, those that were flagged anew.' }),
          cleared: Type.Integer({ description: 'Flags that were taken back.' }),
          notified: Type.Integer({ description: 'Flags that were told of: each once.' }),
          heads: Type.Integer(),
          pairs: Type.Integer({ description: 'Merges that are known.' }),
          asked: Type.Integer({ description: 'Of these, those that git was asked for in this scan.' }),
          seconds: Type.Number(),
        },
        'The last scan.',
      ),
    ),
    fault: nullable(Type.String({ description: 'Why a newer scan could not be made.' })),
  },
  'What of the live work will not merge.',
);

export const MergePreview = open(
  {
    available: Type.Boolean({ description: 'Whether it can be told; else only `reason` is there.' }),
    reason: Type.Optional(Type.String({ description: 'Why it cannot be told.' })),
    base: Type.Optional(Type.String({ description: 'Where base is.' })),
    head: Type.Optional(Type.String()),
    kind: Type.Optional(Type.String({ description: 'clean, conflict or contained.' })),
    paths: Type.Optional(paths),
    hunks: Type.Optional(Type.String({ description: 'The conflicted regions, cut to 32 KiB.' })),
    strategy: Type.Optional(Type.String({ description: 'rebase-ff, merge or squash.' })),
    tree: Type.Optional(nullable(Type.String({ description: 'Of base after the landing; null at a conflict.' }))),
  },
  'What landing the work of a task now would come to. Checks are not part of it.',
);
