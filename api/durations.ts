/** Durations in requests are text like `15m`, inside they are milliseconds. */
import { parseDuration } from '../domain/settings.js';
import { refuse } from './refuse.js';

/** Throws `invalid-request` naming the field. */
export function readDuration(field: string, text: string | null | undefined, fallback: string): number {
  const value = text ?? fallback;
  try {
    return parseDuration(value);
  } catch (err) {
    return refuse('invalid-request', field, value, `must be ${(err as Error).message}`);
  }
}

/** The shortest exact text: 900000 → `15m`. */
export function showDuration(milliseconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (milliseconds >= size && milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}
