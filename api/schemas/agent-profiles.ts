import Type from 'typebox';
import { Later, LaterValues } from '../validation.js';
import { closed, listOf, NAME, nullable, open, optional } from './common.js';

const duration = (description: string) =>
  Type.String({
    pattern: '^\\d{1,12}(\\.\\d{1,3})?\\s?(ms|s|m|h|d|w)$',
    description: `${description} A number and ms, s, m, h, d or w, like \`15m\`.`,
  });
/** Goes into an agent's environment and, for other adapters, its command line: never something like an option. */
const word = (description: string) =>
  Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:/@\\[\\]-]{0,127}$', description });

export const PutAgentProfile = closed({
  adapter: Type.Optional(
    LaterValues(['command'], ['claude', 'codex', 'gemini', 'opencode', 'copilot'], 'How the agent is driven.'),
  ),
  command: Type.Array(
    Type.String({ minLength: 1, maxLength: 4096, pattern: '^[^\\u0000]*$', description: 'Text without NUL.' }),
    {
      minItems: 1,
      maxItems: 200,
      description: 'argv of the agent, run in its clone. Never a shell line.',
    },
  ),
  env: Type.Optional(
    Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' }), Type.String({ maxLength: 8192 }), {
      description: 'Added to the allow-listed environment of the agent.',
    }),
  ),
  model: optional(word('Handed to the agent.')),
  effort: optional(word('Handed to the agent.')),
  limits: optional(
    closed({
      wall: optional(duration('Longest a run may take; `2h` unless given.')),
      stall: optional(duration('Longest silence of a run; `20m` unless given.')),
      outputBytes: optional(
        Type.Integer({
          minimum: 1024,
          maximum: 64 * 1024 ** 3,
          description: 'Most output of a run; 256 MiB unless given.',
        }),
      ),
      usd: Later('Most money a run may cost.'),
    }),
  ),
  sandbox: Type.Optional(
    LaterValues(
      ['auto', 'none'],
      ['bwrap', 'srt', 'container'],
      '`auto` is `none` with a warning where there is none.',
    ),
  ),
  image: Later('Container image.'),
});
export type PutAgentProfile = Type.Static<typeof PutAgentProfile>;

export const AgentProfileAnswer = open(
  {
    name: Type.String({ pattern: NAME }),
    adapter: Type.String(),
    command: Type.Array(Type.String()),
    env: Type.Record(Type.String(), Type.String()),
    model: nullable(Type.String()),
    effort: nullable(Type.String()),
    limits: open({
      wall: Type.String(),
      stall: Type.String(),
      outputBytes: Type.Integer(),
      usd: nullable(Type.Number()),
    }),
    sandbox: Type.String(),
    image: nullable(Type.String()),
  },
  'How an agent is started.',
);
export const AgentProfileList = listOf(AgentProfileAnswer);
