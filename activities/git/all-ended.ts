/**
 * Like `Promise.all`, but an error is thrown when all have ended: what still runs would use a lock and a reader that the
 * caller has given back by then.
 */
export async function allEnded<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]>;
export async function allEnded<T>(work: readonly Promise<T>[]): Promise<T[]>;
export async function allEnded(work: readonly Promise<unknown>[]): Promise<unknown[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
