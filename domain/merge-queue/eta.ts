/** When an entry will have landed, from what the last ones took. */

export interface Eta {
  /** Expected, from now. */
  etaSeconds: number;
  /** Eight of ten land between these, as long as landings take what they took lately. */
  etaLowSeconds: number;
  etaHighSeconds: number;
}

/** Standard deviations around the mean that hold 80 % of a normal distribution. */
const SPREAD_80 = 1.2816;
/** Fewer say nothing about the spread. */
const ENOUGH = 2;

/**
 * For the entry at `position` (from 1). `durations`: milliseconds that entries took lately from being taken up to their
 * end; `elapsed`: how long the first is at it, null if it has not begun. Times of one after the other add up, so their
 * means and variances do. Null where too little is known.
 */
export function estimate(durations: readonly number[], position: number, elapsed: number | null): Eta | null {
  if (durations.length < ENOUGH) return null;
  // Of those that took at least as long as the first takes already: what was left of them then.
  const longer = elapsed === null ? [] : durations.filter((d) => d > elapsed).map((d) => d - elapsed);
  const first = moments(longer.length > 0 ? longer : durations);
  const each = moments(durations);
  const mean = first.mean + each.mean * (position - 1);
  const spread = SPREAD_80 * Math.sqrt(first.variance + each.variance * (position - 1));
  return {
    etaSeconds: Math.ceil(mean / 1000),
    etaLowSeconds: Math.max(0, Math.floor((mean - spread) / 1000)),
    etaHighSeconds: Math.ceil((mean + spread) / 1000),
  };
}

function moments(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, variance: values.length > 1 ? squares / (values.length - 1) : 0 };
}
