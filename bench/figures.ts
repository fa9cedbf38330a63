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
