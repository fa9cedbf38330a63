/**
 * Requests are checked against typebox schemas, without coercing bodies; every fault is named with its field, the value
 * found and what is allowed. Fields and values of later versions are declared with `Later` / `LaterValues`, so that
 * they are refused as `not-available` (422), never accepted and ignored, and never mistaken for unknown fields (400).
 */
import type { FastifySchemaCompiler } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import { Settings } from 'typebox/system';
import { Value } from 'typebox/value';
import { SignalboxError, type Fault } from '../domain/errors.js';

// The default is 8: a request with more wrong fields would hear of some only the next time.
Settings.Set({ maxErrors: 100 });

const LATER = 'x-not-available';
const LATER_VALUES = 'x-not-available-values';

/** A field that this version lacks: absent, null or empty is fine, anything else is `not-available`. */
export function Later(description: string) {
  return Type.Optional(
    Type.Unknown({ description: `${description} Not in this version: null or absent.`, [LATER]: true }),
  );
}

/** One of `now`; the words in `later` are known, but not available in this version. */
export function LaterValues<T extends string>(now: readonly T[], later: readonly string[], description: string) {
  return Type.Unsafe<T>(
    Type.String({ enum: [...now, ...later], description, ...(later.length > 0 ? { [LATER_VALUES]: later } : {}) }),
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || (Array.isArray(value) && value.length === 0);

/** Walks value and schema together and collects what this version lacks. */
export function laterFaults(schema: unknown, value: unknown, field = ''): Fault[] {
  if (!isObject(schema) || value === undefined) return [];
  if (schema[LATER] === true) {
    return isEmpty(value) ? [] : [{ field, value, message: 'is not available in this version; leave it out or null' }];
  }
  const later = schema[LATER_VALUES];
  if (Array.isArray(later) && later.includes(value)) {
    const allowed = (schema.enum as string[]).filter((word) => !later.includes(word));
    return [{ field, value, message: `is not available in this version; allowed: ${allowed.join(', ')}` }];
  }
  if (Array.isArray(schema.anyOf)) return schema.anyOf.flatMap((part) => laterFaults(part, value, field));
  if (Array.isArray(value)) return value.flatMap((item, i) => laterFaults(schema.items, item, `${field}[${i}]`));
  if (!isObject(value) || !isObject(schema.properties)) return [];
  return Object.entries(schema.properties).flatMap(([name, part]) =>
    laterFaults(part, value[name], field === '' ? name : `${field}.${name}`),
  );
}

/** `/checks/0/name` → `checks[0].name` */
function fieldOf(instancePath: string, leaf?: string): string {
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((p) => p.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (leaf !== undefined) parts.push(leaf);
  return parts.reduce((out, p) => (/^\d+$/.test(p) ? `${out}[${p}]` : out === '' ? p : `${out}.${p}`), '');
}

/** What is found there may be a secret, or hold one, that was written in the wrong place. */
const MAY_BE_SECRET = /(^|\.)(auth(\.ref)?|remote|env(\..*)?|forge\.api|secrets(\[\d+\])?)$/;

/** A fault as an answer may show it: its value short, never a secret and never a blob of that size. */
export function faultAt(field: string, value: unknown, message: string): Fault {
  if (MAY_BE_SECRET.test(field)) return { field, message };
  const text = typeof value === 'string' ? value : ((JSON.stringify(value) as string | undefined) ?? '');
  return { field, value: text.length > 200 ? `${text.slice(0, 200)}…` : value, message };
}

const TYPES: Record<string, string> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
};

/** What is allowed, in words; of a pattern that is the description of its schema. */
function allowed(error: TLocalizedValidationError, schema: unknown, found: unknown): string {
  const part: unknown = Value.Pointer.Get(schema, error.schemaPath.slice(1));
  const { [LATER_VALUES]: later, description } = isObject(part) ? part : {};
  switch (error.keyword) {
    case 'enum': {
      const words = error.params.allowedValues.filter((word) => !Array.isArray(later) || !later.includes(word));
      return words.length === 1 ? `must be ${String(words[0])}` : `must be one of ${words.map(String).join(', ')}`;
    }
    case 'const':
      return `must be ${String(error.params.allowedValue)}`;
    case 'type':
      return `must be ${[error.params.type]
        .flat()
        .map((type) => TYPES[type] ?? type)
        .join(' or ')}`;
    case 'minLength':
    case 'pattern':
      if (found === '') return 'must not be empty';
      return typeof description === 'string' ? `does not fit: ${description.replace(/\.$/, '')}` : error.message;
    default:
      return error.message;
  }
}

/** Every optional field takes null: nobody who wrote something wants to hear of that. */
const isNullBranch = ({ keyword, params, schemaPath }: TLocalizedValidationError): boolean =>
  keyword === 'type' && params.type === 'null' && /\/anyOf\/\d+$/.test(schemaPath);

/** typebox's errors as faults, one for each field. */
export function faultsOf(schema: unknown, errors: TLocalizedValidationError[], value: unknown): Fault[] {
  const faults = new Map<string, Fault>();
  const add = (field: string, found: unknown, message: string): void => {
    const known = faults.get(field);
    if (known === undefined) faults.set(field, faultAt(field, found, message));
    else if (!known.message.includes(message)) known.message += ` or ${message}`;
  };
  for (const error of errors) {
    const found = error.instancePath === '' ? value : Value.Pointer.Get(value, error.instancePath);
    if (error.keyword === 'boolean' || error.keyword === 'anyOf' || isNullBranch(error)) continue;
    if (error.keyword === 'additionalProperties') {
      for (const name of error.params.additionalProperties) {
        add(fieldOf(error.instancePath, name), isObject(found) ? found[name] : undefined, 'is not a known field');
      }
    } else if (error.keyword === 'required') {
      for (const name of error.params.requiredProperties)
        add(fieldOf(error.instancePath, name), undefined, 'is required');
    } else add(fieldOf(error.instancePath), found, allowed(error, schema, found));
  }
  return [...faults.values()];
}

export function faultSummary(faults: Fault[]): string {
  return faults.map((f) => (f.field === '' ? f.message : `${f.field} ${f.message}`)).join('; ');
}

/** Throws `invalid-request` (400) for what the schema refuses, else `not-available` (422) for what is of later versions. */
export function validate(schema: TSchema, check: ReturnType<typeof Compile>, value: unknown): void {
  if (!check.Check(value)) {
    const faults = faultsOf(schema, check.Errors(value), value);
    throw new SignalboxError('invalid-request', faultSummary(faults), { faults });
  }
  const later = laterFaults(schema, value);
  if (later.length > 0) throw new SignalboxError('not-available', faultSummary(later), { faults: later });
}

/** Numbers and booleans of a query, where they are spelled as such: `1.5` is no integer, and must not become one. */
function fromText(schema: unknown, value: unknown): unknown {
  if (!isObject(schema) || !isObject(schema.properties) || !isObject(value)) return value;
  const { properties } = schema;
  return Object.fromEntries(
    Object.entries(value).map(([name, text]) => {
      const type = isObject(properties[name]) ? properties[name].type : undefined;
      if (type === 'integer' && typeof text === 'string' && /^-?\d{1,15}$/.test(text)) return [name, Number(text)];
      if (type === 'boolean' && (text === 'true' || text === 'false')) return [name, text === 'true'];
      return [name, text];
    }),
  );
}

/** Query strings and paths are text: numbers and booleans in them are converted; bodies are taken as they are. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (value: unknown) => {
    const converted = httpPart === 'body' ? (value ?? {}) : fromText(schema, value);
    try {
      validate(schema, check, converted);
      return { value: converted };
    } catch (err) {
      return { error: err as Error };
    }
  };
};
