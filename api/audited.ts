/** Every action that changes something leaves a row: who, what, on what, accepted or refused with the code. */
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../domain/errors.js';
import { writeAudit } from '../store/audit.js';
import { principalOf } from './auth.js';
import type { ApiDeps } from './deps.js';

export interface Action {
  /** A verb with its object: `task.approve`. */
  action: string;
  /** What it is done to: `web/ET-012`. */
  subject: string;
  detail?: Record<string, unknown>;
}

/** Runs `fn`; then writes the row. A failure on our side (5xx) is written as refused too, with its code. */
export async function audited<T>(
  deps: ApiDeps,
  request: FastifyRequest,
  action: Action,
  fn: () => Promise<T>,
): Promise<T> {
  const { name, tokenId } = principalOf(request);
  const write = (result: string): Promise<unknown> =>
    writeAudit(deps.pool, {
      actor: name,
      action: action.action,
      subject: action.subject,
      result,
      detail: { ...action.detail, token: tokenId },
    });
  let value: T;
  try {
    value = await fn();
  } catch (err) {
    await write(err instanceof SignalboxError ? `refused: ${err.code}` : 'refused: internal');
    throw err;
  }
  await write('accepted');
  return value;
}
