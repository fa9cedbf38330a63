/** How long a transient failure waits. */
const DAY_SECONDS = 24 * 3600;
/** Beyond this a person is asked instead. */
export const LONGEST_RETRY_AFTER_SECONDS = 7 * DAY_SECONDS;
const JITTER = 0.1;

/** A retry-after that counts: a positive number; what is zero, negative or no number is ignored. */
export const retryFloorSeconds = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null;

/**
 * Milliseconds to wait before try n + 1: min(base * 2^n, max) and 0–10 % more, never less. A retry-after is a floor, up
 * to 7 days.
 *
 * @param n failures in a row, from 1
 * @param random from 0 to 1
 */
export function backoffMs(
  n: number,
  times: { baseMs: number; maxMs: number },
  random: number,
  retryAfterSeconds: number | null = null,
): number {
  const plain = Math.min(times.baseMs * 2 ** Math.max(1, n), times.maxMs);
  const floor = Math.min(retryFloorSeconds(retryAfterSeconds) ?? 0, LONGEST_RETRY_AFTER_SECONDS) * 1000;
  return Math.ceil(Math.max(plain, floor) * (1 + JITTER * Math.min(Math.max(random, 0), 1)));
}
