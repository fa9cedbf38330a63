import Type from 'typebox';
import { closed, line, nullable, objectId, open, optional } from './common.js';

export const BaseAuditQuery = closed({
  base: Type.Optional(line(255, 'A base branch; that of the repository unless given. Another one needs `since`.')),
  since: Type.Optional(objectId('Begin after this commit of base; after the adoption unless given.')),
  strict: Type.Optional(Type.Boolean({ description: 'Pushes of people are offences.' })),
});
const finding = (description: string) =>
  Type.Array(
    open({
      code: Type.String({ description: 'Stable word for programs.' }),
      commit: Type.String(),
      task: nullable(Type.String()),
      entry: nullable(Type.String()),
      detail: Type.String({ description: 'For people.' }),
    }),
    { description },
  );
export const BaseAudit = open(
  {
    repo: Type.String(),
    base: Type.String(),
    from: Type.String({ description: 'The audit begins after this commit.' }),
    to: Type.String({ description: 'Where base is.' }),
    landings: Type.Integer({ description: 'Commits of base that are landings or claim to be.' }),
    proven: Type.Integer({
      description: 'Of these, those with nothing against them and with the verdict they needed.',
    }),
    foreign: Type.Array(open({ commit: Type.String(), author: Type.String(), subject: Type.String() }), {
      description: 'Commits that people pushed themselves.',
    }),
    offences: finding(
      'unproven-tree, entry-twice, forged-trailer, rewound-landing, unrecorded-landing, tip-broken, row-differs, foreign.',
    ),
    notes: finding(
      'What is no offence: head-gone, accepted-rewind, being-recorded, landed-without-checks, verdict-not-kept.',
    ),
    ok: Type.Boolean({ description: 'There are no offences.' }),
  },
  'What the remote and the store say about the landings on a base branch.',
);

export const Rebuild = closed({
  base: optional(line(255, 'A base branch; that of the repository unless given.')),
});
export const Rebuilt = open(
  {
    repo: Type.String(),
    base: Type.String(),
    landings: Type.Integer({ description: 'Landings in base.' }),
    restored: Type.Integer({ description: 'Of these, those whose records were missing.' }),
    adoptedAt: Type.String({ description: 'The audit begins after this commit.' }),
    numbers: Type.Array(open({ prefix: Type.String(), highest: Type.Integer() }), {
      description: 'Numbers that are used up without a task here; the next task gets a higher one.',
    }),
  },
  'What the store has back from the remote.',
);
