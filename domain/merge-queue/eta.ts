/** When an entry will have landed, from what the last ones took. */
import type { QueuePace } from './types.js';

export interface Eta {
  /** Expected, from now. */
  etaSeconds: number;
  /**
   * About eight of ten land between these, as long as landings take what they took lately; of few samples, which seldom
   * show the rare long ones, fewer do: with five, and far behind, six of ten.
   */
  etaLowSeconds: number;
  etaHighSeconds: number;
}

/** Standard deviations around the mean that hold 80 % of a normal distribution. */
const SPREAD_80 = 1.2816;
/** Fewer say nothing about the spread. */
const ENOUGH = 3;

/**
 * For the entry at `position` (from 1), asked at `now` (epoch ms); times of one after the other add up, so their means and
 * variances do. How far their mean is off goes with each of them alike, so with the square of how many they are. Null
 * where too little is known.
 */
export function estimate({ durations, startedAt }: QueuePace, position: number, now: number): Eta | null {
  if (durations.length < ENOUGH) return null;
  const elapsed = startedAt === null ? null : now - Date.parse(startedAt);
  // Of those that took longer than the first takes already: what was left of them then.
  const longer = elapsed === null ? [] : durations.filter((d) => d > elapsed).map((d) => d - Math.max(0, elapsed));
  const first = moments(longer.length >= ENOUGH ? longer : durations);
  const each = moments(durations);
  const behind = position - 1;
  const mean = first.mean + each.mean * behind;
  const own = first.variance + each.variance * behind;
  const ofTheMean = (Math.sqrt(first.variance / first.count) + behind * Math.sqrt(each.variance / each.count)) ** 2;
  const spread = spread80(first.count) * Math.sqrt(own + ofTheMean);
  return {
    etaSeconds: Math.ceil(mean / 1000),
    etaLowSeconds: Math.max(0, Math.floor((mean - spread) / 1000)),
    etaHighSeconds: Math.ceil((mean + spread) / 1000),
  };
}

/** The same for Student's t of `count` samples, by its expansion around the normal distribution. */
function spread80(count: number): number {
  const [z, free] = [SPREAD_80, count - 1];
  return z + (z ** 3 + z) / (4 * free) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * free ** 2);
}

function moments(values: readonly number[]): { count: number; mean: number; variance: number } {
  const count = values.length;
  const mean = values.reduce((sum, v) => sum + v, 0) / count;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { count, mean, variance: squares / (count - 1) };
}
