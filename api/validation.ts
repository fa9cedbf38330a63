/**
 * Requests are checked against typebox schemas, without coercing bodies; every fault is named with its field, the value
 * found and what is allowed. Fields and values of later versions are declared with `Later` / `LaterValues`, so that
 * they are refused as `not-available` (422), never accepted and ignored, and never mistaken for unknown fields (400).
 */
import type { FastifySchemaCompiler } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import { Value } from 'typebox/value';
import { SignalboxError, type Fault } from '../domain/errors.js';

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

/** A value as an error may show it: short, and never a secret-sized blob. */
function shown(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  return text !== undefined && text.length > 200 ? `${text.slice(0, 200)}…` : value;
}

function messagesOf(error: TLocalizedValidationError): string {
  switch (error.keyword) {
    case 'enum':
      return `must be one of ${error.params.allowedValues.map(String).join(', ')}`;
    case 'pattern':
      return `must match ${String(error.params.pattern)}`;
    default:
      return error.message;
  }
}

/** typebox's errors as faults, one for each field. */
export function faultsOf(errors: TLocalizedValidationError[], value: unknown): Fault[] {
  const faults = new Map<string, Fault>();
  const add = (field: string, found: unknown, message: string): void => {
    const known = faults.get(field);
    if (known === undefined) faults.set(field, { field, value: shown(found), message });
    else if (!known.message.includes(message)) known.message += ` or ${message}`;
  };
  for (const error of errors) {
    const found = error.instancePath === '' ? value : Value.Pointer.Get(value, error.instancePath);
    if (error.keyword === 'boolean' || error.keyword === 'anyOf') continue;
    if (error.keyword === 'additionalProperties') {
      for (const name of error.params.additionalProperties) {
        add(fieldOf(error.instancePath, name), isObject(found) ? found[name] : undefined, 'is not a known field');
      }
    } else if (error.keyword === 'required') {
      for (const name of error.params.requiredProperties)
        add(fieldOf(error.instancePath, name), undefined, 'is required');
    } else add(fieldOf(error.instancePath), found, messagesOf(error));
  }
  return [...faults.values()];
}

export function faultSummary(faults: Fault[]): string {
  return faults.map((f) => (f.field === '' ? f.message : `${f.field} ${f.message}`)).join('; ');
}

/** Throws `invalid-request` (400) for what the schema refuses, else `not-available` (422) for what is of later versions. */
export function validate(schema: TSchema, check: ReturnType<typeof Compile>, value: unknown): void {
  if (!check.Check(value)) {
    const faults = faultsOf(check.Errors(value), value);
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
