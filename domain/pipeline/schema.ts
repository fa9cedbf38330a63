/** Shape of a pipeline as users write it (JSON, or YAML of the same). Not for workflow code: it brings a validator. */
import Type, { type TSchema } from 'typebox';

export const MAX_STAGES = 50;

const strict = { additionalProperties: false } as const;
const closed = <P extends Record<string, TSchema>>(properties: P) => Type.Object(properties, strict);
const enumeration = (...values: string[]) => Type.Unsafe<string>({ type: 'string', enum: values });

/** Part of run ids and so of paths. */
const StageName = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' });
const ProfileName = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,63}$' });
/** A file in the repository: relative, no `..`, no `.git`. */
const DocumentPath = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^(?!/)(?!.*(^|/)(\\.\\.?|\\.[gG][iI][tT])(/|$))[^\\\\\\x00-\\x1f]+[^/\\\\\\x00-\\x1f]$',
});
const Edge = closed({ goto: StageName, max: Type.Integer({ minimum: 1, maximum: 100 }) });

/** One schema per stage kind; absent and null mean the same everywhere. */
export const STAGE_SCHEMAS = {
  agent: closed({
    name: StageName,
    kind: Type.Literal('agent'),
    agent: ProfileName,
    prompt: Type.Optional(Type.String({ maxLength: 32768 })),
    artifact: Type.Optional(DocumentPath),
    commits: Type.Optional(enumeration('required', 'optional', 'forbidden')),
    maxAttempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    onFail: Type.Optional(Edge),
  }),
  approval: closed({ name: StageName, kind: Type.Literal('approval'), of: StageName }),
  check: closed({
    name: StageName,
    kind: Type.Literal('check'),
    checks: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 50 })),
    onFail: Type.Optional(Edge),
  }),
  merge: closed({
    name: StageName,
    kind: Type.Literal('merge'),
    onConflict: Type.Optional(Edge),
    onRed: Type.Optional(Edge),
  }),
};

/** Words of the contract that later versions bring: refused by name, never accepted and ignored. */
export const NOT_AVAILABLE_KINDS: readonly string[] = ['deploy', 'watch'];
export const NOT_AVAILABLE_FIELDS: Readonly<Record<string, readonly string[]>> = {
  approval: ['approvers', 'remindAfter', 'delegateTo', 'escalateTo', 'expireAfter'],
};
