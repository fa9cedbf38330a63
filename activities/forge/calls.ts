/** Calls to a forge: bounded in time, never redirected with the token, and with errors that hold no secret. */
import { SignalboxError } from '../../domain/errors.js';

/** Longest answer to wait for, milliseconds. */
export const CALL_TIMEOUT = 15_000;

/** For clients that take one. A redirect is refused: the token would go along to wherever it leads. */
export const forgeFetch: typeof fetch = (input, init) =>
  fetch(input, { ...init, redirect: 'error', signal: AbortSignal.timeout(CALL_TIMEOUT) });

/** What a client's error says, without the request in it: that has the token in its headers. */
export interface Refusal {
  /** Of HTTP; null where no answer came. */
  status: number | null;
  message: string;
}

/** 408, 429 and what is over 500 pass; so does a rate limit that is told as a 403. */
const passes = ({ status, message }: Refusal): boolean =>
  status === null ||
  status === 408 ||
  status === 429 ||
  status >= 500 ||
  (status === 403 && /rate limit/i.test(message));

/** @param what the call in words, for people: `open a pull request` */
export function forgeError(forge: string, what: string, refusal: Refusal): SignalboxError {
  const said = refusal.message.replace(/\s+/g, ' ').trim().slice(0, 500);
  const code = passes(refusal) ? 'forge-infrastructure' : 'forge-refused';
  const status = refusal.status === null ? '' : ` (${refusal.status})`;
  return new SignalboxError(code, `${forge} did not ${what}${status}: ${said}`, { forgeStatus: refusal.status });
}

/** Status of the refusal that an error of `forgeError` tells of; null for any other error. */
export function refusedWith(err: unknown): number | null {
  if (!(err instanceof SignalboxError)) return null;
  const { forgeStatus } = err.data;
  return typeof forgeStatus === 'number' ? forgeStatus : null;
}

/** Gives null where the forge answers that there is no such thing. */
export async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (err) {
    if (refusedWith(err) === 404) return null;
    throw err;
  }
}

/** One line that forges take as a description. */
export const shortLine = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 140 ? `${line.slice(0, 139)}…` : line;
};
