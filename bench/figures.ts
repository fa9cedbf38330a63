/** Medians and the closing line that every bench prints. */

export function median(values: number[]): number {
  return percentile(values, 0.5);
}

/** `p` from 0 to 1; nearest rank. */
export function percentile(values: number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? NaN;
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

/**
 * The whole number at a place of the command line, or `fallback` where nothing stands. What is no number from 1 on ends
 * the bench with exit code 2 and one line that says so.
 */
export function countArgument(place: number, name: string, fallback: number): number {
  const given = process.argv[1 + place];
  if (given === undefined) return fallback;
  if (/^[1-9]\d{0,5}$/.test(given)) return Number(given);
  process.stderr.write(`${name}: ${JSON.stringify(given)} is no whole number from 1 on (${fallback} unless given)\n`);
  process.exit(2);
}

/** The last line of a bench: one JSON object. */
export function printResult(bench: string, ratio: number, baseline: string, figures: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ bench, ratio: round(ratio, 2), baseline, figures })}\n`);
}

/** Milliseconds that `fn` takes. */
export async function timed(fn: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await fn();
  return Number(process.hrtime.bigint() - start) / 1e6;
}
