/** Cursors of lists: opaque to clients, a JSON value in base64url for us. */
import { SignalboxError } from '../domain/errors.js';

const badCursor = (): SignalboxError =>
  new SignalboxError('invalid-request', 'cursor must be the `next` of the page before', {
    faults: [{ field: 'cursor', message: 'must be the `next` of the page before' }],
  });

export const DEFAULT_LIMIT = 50;

export const encodeCursor = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The texts a cursor was made of; throws `invalid-request` for anything else. */
export function decodeCursor(cursor: string, parts: number): string[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw badCursor();
  }
  if (!Array.isArray(value) || value.length !== parts || !value.every((p) => typeof p === 'string')) throw badCursor();
  return value;
}

/** A cursor that is the id of the last row. */
export function decodeIdCursor(cursor: string | undefined): number | null {
  if (cursor === undefined) return null;
  const id = Number(decodeCursor(cursor, 1)[0]);
  if (!Number.isSafeInteger(id) || id < 0) throw badCursor();
  return id;
}

/** One row more than asked for was read: it only tells that there is a next page. */
export function page<T>(rows: T[], limit: number, cursorOf: (row: T) => string[]): { items: T[]; next: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null };
}
