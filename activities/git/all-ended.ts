/**
 * Like `Promise.all`, but an error is thrown when all have ended: what still runs would use a lock and a reader that the
 * caller has given back by then.
 */
export async function allEnded<T extends readonly PromiseLike<unknown>[] | []>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
