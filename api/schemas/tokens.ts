import Type from 'typebox';
import { SCOPES } from '../auth.js';
import { closed, line, listOf, nullable, open, optional, repoId } from './common.js';

const scopes = Type.Array(Type.Enum([...SCOPES]), {
  minItems: 1,
  maxItems: SCOPES.length,
  uniqueItems: true,
  description: 'What the token may do.',
});

export const CreateToken = closed({
  name: line(100, 'Who or what uses the token; decisions and the audit show it.'),
  scopes,
  repos: optional(Type.Array(repoId, { maxItems: 1000, description: 'Repositories it is granted; null = all.' })),
  expiresAt: optional(
    Type.String({
      pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$',
      description: 'RFC 3339, like `2027-01-31T12:00:00Z`; null = never.',
    }),
  ),
});

export const Token = open(
  {
    id: Type.String(),
    name: Type.String(),
    scopes: Type.Array(Type.String()),
    repos: nullable(Type.Array(Type.String())),
    expiresAt: nullable(Type.String()),
    createdAt: Type.String(),
    lastUsedAt: nullable(Type.String()),
  },
  'A token, without its secret.',
);
export const NewToken = Type.Intersect([
  Token,
  open({ secret: Type.String({ description: 'Shown this once; only its hash is kept.' }) }),
]);
export const TokenList = listOf(Token);
export const Ticket = open(
  { ticket: Type.String({ description: 'Single use, as `?ticket=` of an event stream.' }), expiresAt: Type.String() },
  'Stands in for the token once, for 60 s.',
);
