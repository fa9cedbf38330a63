/** Shapes of values that come from outside of our types: what is wrong with a value, or null. More fields are no fault. */

/** @param at where the value stands, for the words of the fault */
export type Shape = (value: unknown, at: string) => string | null;

export const text: Shape = (value, at) => (typeof value === 'string' ? null : `${at} is no text`);
export const count: Shape = (value, at) => (Number.isFinite(value) ? null : `${at} is no number`);
export const flag: Shape = (value, at) => (typeof value === 'boolean' ? null : `${at} is neither true nor false`);

export const oneOf =
  (words: readonly string[]): Shape =>
  (value, at) =>
    words.some((word) => word === value) ? null : `${at} is none of ${words.join(', ')}`;

export const nullable =
  (shape: Shape): Shape =>
  (value, at) =>
    value === null ? null : shape(value, at);

/** May be absent, or null: JSON keeps no undefined in a list of arguments. */
export const optional =
  (shape: Shape): Shape =>
  (value, at) =>
    value === undefined || value === null ? null : shape(value, at);

export const listOf =
  (shape: Shape): Shape =>
  (value, at) => {
    if (!Array.isArray(value)) return `${at} is no list`;
    return firstOf(value.map((item, i) => shape(item, `${at}[${i}]`)));
  };

export const object =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value, at) => {
    if (!isObject(value)) return `${at} is no object`;
    return firstOf(Object.entries(fields).map(([name, shape]) => shape(value[name], `${at}.${name}`)));
  };

/** Objects whose `kind` says which fields they have. */
export const kinds =
  (shapes: Readonly<Record<string, Readonly<Record<string, Shape>>>>): Shape =>
  (value, at) => {
    if (!isObject(value)) return `${at} is no object`;
    const kind = value['kind'];
    if (typeof kind !== 'string' || !Object.hasOwn(shapes, kind)) {
      return `${at}.kind is none of ${Object.keys(shapes).join(', ')}`;
    }
    return object(shapes[kind] ?? {})(value, at);
  };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const firstOf = (faults: readonly (string | null)[]): string | null => faults.find((fault) => fault !== null) ?? null;

/** What is wrong with the arguments of a message, or null. */
export function argumentsFault(args: readonly unknown[], shapes: readonly Shape[]): string | null {
  return firstOf(shapes.map((shape, i) => shape(args[i], `argument ${i + 1}`)));
}
