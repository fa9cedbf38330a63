/** Pieces that many requests share. Every field says in words what it is; the OpenAPI document shows the same text. */
import Type, { type TProperties } from 'typebox';
import { PRIORITIES } from '../../domain/tasks.js';

/** Unknown fields are refused, by name. */
export const closed = <T extends TProperties>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });

/** An answer; it may carry more fields than shown. */
export const open = <T extends TProperties>(properties: T, description = '') =>
  Type.Object(properties, { description });

export const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const optional = <T extends Type.TSchema>(schema: T) => Type.Optional(nullable(schema));

/** One line of text: no control characters, not blank. */
export const line = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^(?=.*\\S)[^\\u0000-\\u001f\\u007f\\u2028\\u2029]*$', description });

/** Text of many lines; NUL cannot be stored. */
export const text = (maxLength: number, description: string) =>
  Type.String({ maxLength, pattern: '^[^\\u0000]*$', description });

export const REPO_ID = '^[a-z0-9][a-z0-9._-]{0,63}$';
export const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';
export const repoId = Type.String({
  pattern: REPO_ID,
  description:
    'Id of the repository, for example `web`: up to 64 of a-z, 0-9, `.`, `_` and `-`, the first a letter or digit.',
});
export const stageName = Type.String({ pattern: NAME, description: 'Name of a stage of the pipeline.' });
export const objectId = (description: string) => Type.String({ pattern: '^[0-9a-f]{40}([0-9a-f]{24})?$', description });
export const oid = objectId('A full git object id.');

export const priority = Type.Enum([...PRIORITIES], {
  description: 'Order among entries of a merge queue and among waiting jobs; `normal` unless given.',
});

const segment = (description: string) => Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$', description });
export const RepoParams = closed({ repo: segment('Id of the repository.') });
export const TaskParams = closed({
  repo: segment('Id of the repository.'),
  workItem: segment('Work item, for example `ET-012`.'),
});
export const idParams = (description: string) => closed({ id: segment(description) });
export const nameParams = (description: string) => closed({ name: Type.String({ pattern: NAME, description }) });

export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'How many at most; 50 unless given.' })),
  cursor: Type.Optional(
    Type.String({ maxLength: 500, pattern: '^[A-Za-z0-9_-]*$', description: 'The `next` of the page before.' }),
  ),
};

export const checkoutBehind = Type.Optional(
  nullable(
    open(
      { reason: Type.String(), mendedBy: Type.String() },
      'Why the checkout of the remote stayed behind at this landing, and the command that mends it.',
    ),
  ),
);

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable word for programs.' }),
    detail: Type.String({ description: 'For people.' }),
    faults: Type.Optional(
      Type.Array(Type.Object({ field: Type.String(), value: Type.Optional(Type.Unknown()), message: Type.String() }), {
        description: 'Each field that is wrong, what was found and what is allowed.',
      }),
    ),
  },
  { description: 'application/problem+json' },
);

export const listOf = <T extends Type.TSchema>(item: T) =>
  Type.Object({ items: Type.Array(item), next: nullable(Type.String({ description: 'Cursor of the next page.' })) });
