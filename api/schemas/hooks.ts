import Type from 'typebox';
import { HOOK_SOURCES } from '../../domain/webhooks.js';
import { Later, LaterValues } from '../validation.js';
import { closed, NAME, nullable, open, repoId } from './common.js';

export const PROJECT = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/;
const LATER_SOURCES = ['plane', 'linear', 'generic'];

export const PutHook = closed({
  source: LaterValues([...HOOK_SOURCES], LATER_SOURCES, 'Who delivers; decides how deliveries are signed.'),
  secrets: Type.Array(
    Type.String({ maxLength: 500, pattern: '^[\\x21-\\x7e]+$', description: 'Printable characters without blanks.' }),
    { minItems: 1, maxItems: 2, description: 'What deliveries are signed with; two while one replaces the other.' },
  ),
  projects: Type.Optional(
    Type.Record(Type.String({ pattern: PROJECT.source }), repoId, {
      description: 'Which repository each project (`owner/name`) is.',
    }),
  ),
  states: Later('What states of a tracker do.'),
});
export type PutHook = Type.Static<typeof PutHook>;

export const HookAnswer = open(
  {
    id: Type.String(),
    source: Type.String(),
    secretCount: Type.Integer({ description: 'How many secrets it has; they are never shown.' }),
    projects: Type.Record(Type.String(), Type.String()),
    path: Type.String({ description: 'Where deliveries go, below the address of this API.' }),
    createdAt: Type.String(),
    updatedAt: Type.String(),
  },
  'A hook that a forge delivers to.',
);
export const HookList = open({ items: Type.Array(HookAnswer), next: nullable(Type.String()) });

export const HookParams = closed({ id: Type.String({ pattern: NAME, description: 'Id of the hook.' }) });
export const DeliveryParams = closed({
  source: LaterValues([...HOOK_SOURCES], LATER_SOURCES, 'Who delivers.'),
  id: Type.String({ pattern: NAME, description: 'Id of the hook.' }),
});
export const Taken = open(
  {
    accepted: Type.Boolean(),
    duplicate: Type.Optional(Type.Boolean({ description: 'It was taken in before.' })),
    ignored: Type.Optional(Type.String({ description: 'Why nothing came of it.' })),
    wakes: Type.Optional(Type.Integer({ description: 'How many checks wait for it.' })),
  },
  'What came of a delivery.',
);
