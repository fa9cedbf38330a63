import { SignalboxError, type ErrorCode } from '../domain/errors.js';
import { faultAt } from './validation.js';

/** Refuses a request for one field of it: what was found there, and what is wrong with it. */
export function refuse(code: ErrorCode, field: string, value: unknown, message: string): never {
  throw new SignalboxError(code, `${field}: ${message}`, { faults: [faultAt(field, value, message)] });
}
