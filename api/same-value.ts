import { isDeepStrictEqual } from 'node:util';

/** Equal as JSON, whatever the order of the keys. */
export function sameValue(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));
}
