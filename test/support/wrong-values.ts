/** Wrong values made from a JSON schema: for each field every type it is not, and what is beyond each of its limits. */

export interface Schema {
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  'x-not-available'?: boolean;
  'x-not-available-values'?: unknown[];
}

export interface Wrong {
  /** As answers name it: `checks[0].name`; '' is the whole body. */
  field: string;
  body: unknown;
  status: 400 | 422;
  what: string;
}

/** Beyond it the limit of the whole body is met first. */
const LONGEST = 100_000;
const SAMPLES: Record<string, unknown> = { string: 'a', integer: 7, number: 7.5, boolean: true, array: [], object: {} };
const TEXTS = ['a', 'A', 'a'.repeat(40), '1h', '/a', 'env:A', 'a/A-1'];

const parts = (schema: Schema): Schema[] => (schema.anyOf ?? [schema]).flatMap((s) => (s.anyOf ? parts(s) : [s]));
const isAnything = (schema: Schema): boolean => Object.keys(schema).every((key) => key === 'description');

/** Something that the schema takes: of objects only what is required. */
export function sample(schema: Schema): unknown {
  const [first = {}] = parts(schema);
  if (first.enum) return first.enum[0];
  switch (first.type) {
    case 'object':
      return Object.fromEntries((first.required ?? []).map((name) => [name, sample(first.properties?.[name] ?? {})]));
    case 'array':
      return Array.from({ length: first.minItems ?? 0 }, () => sample(first.items ?? {}));
    case 'string':
      return TEXTS.find((text) => new RegExp(first.pattern ?? '').test(text)) ?? 'a';
    default:
      return first.type === undefined ? null : SAMPLES[first.type];
  }
}

/** Every wrong body of one request. */
export function wrongBodies(schema: Schema): Wrong[] {
  const roots = [[], 'text', 7, true].map((body): Wrong => ({ field: '', body, status: 400, what: typeof body }));
  return [...roots, ...wrong(schema, '', (body) => body)];
}

function wrong(schema: Schema, field: string, put: (value: unknown) => unknown): Wrong[] {
  const out: Wrong[] = [];
  const add = (value: unknown, what: string, status: 400 | 422 = 400, at = field): void => {
    out.push({ field: at, body: put(value), status, what });
  };
  if (schema['x-not-available'] === true) {
    for (const value of ['a', 7, true, { a: 1 }, ['a']]) add(value, `not available: ${JSON.stringify(value)}`, 422);
    return out;
  }
  const choices = parts(schema);
  if (choices.some(isAnything)) return out;
  if (field !== '') {
    const taken = new Set(choices.flatMap(typesOf));
    for (const [type, value] of Object.entries(SAMPLES)) if (!taken.has(type)) add(value, `of type ${type}`);
    if (!taken.has('null')) add(null, 'null');
  }
  for (const choice of choices) {
    for (const value of choice['x-not-available-values'] ?? []) add(value, `not available: ${String(value)}`, 422);
    for (const [value, what] of beyond(choice)) add(value, what);
    if (choice.type === 'array' && choice.items) {
      out.push(...wrong(choice.items, `${field}[0]`, (value) => put([value])));
    }
    if (choice.type === 'object') out.push(...wrongMembers(choice, field, put));
  }
  return out;
}

function wrongMembers(schema: Schema, field: string, put: (value: unknown) => unknown): Wrong[] {
  const whole = sample(schema) as Record<string, unknown>;
  const inside = (name: string): string => (field === '' ? name : `${field}.${name}`);
  const out: Wrong[] = [];
  const { additionalProperties: more } = schema;
  if (typeof more === 'object') return wrong(more, inside('A'), (value) => put({ A: value }));
  if (more !== false) throw new Error(`${field} takes unknown fields`);
  out.push({ field: inside('unheard'), body: put({ ...whole, unheard: 1 }), status: 400, what: 'an unknown field' });
  for (const name of schema.required ?? []) {
    const rest = Object.fromEntries(Object.entries(whole).filter(([key]) => key !== name));
    out.push({ field: inside(name), body: put(rest), status: 400, what: 'missing' });
  }
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    out.push(...wrong(member, inside(name), (value) => put({ ...whole, [name]: value })));
  }
  return out;
}

function typesOf(schema: Schema): string[] {
  if (schema.enum) return schema.enum.map((value) => typeof value);
  if (schema.type === undefined) return Object.keys(SAMPLES);
  return schema.type === 'number' ? ['number', 'integer'] : [schema.type];
}

/** Of the right type, and refused by one limit of the schema. */
function beyond(schema: Schema): [value: unknown, what: string][] {
  const { enum: words, pattern, minLength = 0, maxLength = Infinity, minimum, maximum } = schema;
  const out: [unknown, string][] = [];
  if (words) out.push(['no-such-word', 'not one of the words']);
  if (minLength > 0) out.push(['', 'empty']);
  if (maxLength <= LONGEST) out.push(['a'.repeat(maxLength + 1), 'too long']);
  if (pattern !== undefined) {
    const bad = ['\u0000', '', 'a\nb', ' ', '-x'].find((text) => !new RegExp(pattern).test(text));
    if (bad === undefined) throw new Error(`no text that ${pattern} refuses`);
    out.push([bad, 'not of the pattern']);
  }
  if (minimum !== undefined) out.push([minimum - 1, 'too small']);
  if (maximum !== undefined) out.push([maximum + 1, 'too large']);
  if (schema.minItems !== undefined && schema.minItems > 0) out.push([[], 'too few']);
  if (schema.maxItems !== undefined) {
    out.push([Array.from({ length: schema.maxItems + 1 }, () => sample(schema.items ?? {})), 'too many']);
  }
  return out;
}

/** Texts that a parameter of a path or a query refuses. */
export function wrongTexts(schema: Schema): string[] {
  const [first = {}] = parts(schema);
  const numbers = [first.minimum, first.maximum].map((n, i) =>
    n === undefined ? null : String(i === 0 ? n - 1 : n + 1),
  );
  const texts = beyond(first).filter(([value]) => typeof value === 'string' && value !== '');
  const other = first.type === 'string' || first.enum ? [] : ['maybe', '1.5', '{}'];
  return [...texts.map(([value]) => String(value)), ...numbers.filter((n) => n !== null), ...other];
}
