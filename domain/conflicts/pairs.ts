/** Which merges have to be asked of git: one new head costs as many as there are others, an unchanged set none. */
import type { Pair, Prediction } from './types.js';

/** Heads that are looked at, at most: 200 make 20,000 pairs, some seconds of git. */
export const MAX_HEADS = 200;

export const pairKey = ({ a, b }: Pair): string => `${a} ${b}`;

/** Of two heads, in the order that they are asked and kept in. */
export const pairOf = (one: string, other: string): Pair => (one < other ? { a: one, b: other } : { a: other, b: one });

/** Base with each head, and each head with each other. A commit is not asked about itself. */
export function allPairs(base: string, heads: readonly string[]): Pair[] {
  const others = [...new Set(heads)].filter((head) => head !== base).sort();
  return [
    ...others.map((b) => ({ a: base, b })),
    ...others.flatMap((a, i) => others.slice(i + 1).map((b) => ({ a, b }))),
  ];
}

/** What is known of these commits, and the pairs that have to be asked. */
export function sortPairs<P extends Pair>(
  base: string,
  heads: readonly string[],
  known: readonly P[],
): { there: P[]; missing: Pair[] } {
  const all = new Map(allPairs(base, heads).map((pair) => [pairKey(pair), pair]));
  const there = known.filter((pair) => all.delete(pairKey(pair)));
  return { there, missing: [...all.values()] };
}

export function indexed(predictions: readonly Prediction[]): Map<string, Prediction> {
  return new Map(predictions.map((prediction) => [pairKey(prediction), prediction]));
}
