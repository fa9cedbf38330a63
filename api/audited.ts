/** Every action that changes something leaves a row: who, what, on what, accepted or refused with the code. */
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../domain/errors.js';
import { setAuditResult, writeAudit } from '../store/audit.js';
import { principalOf } from './auth.js';
import type { ApiDeps } from './deps.js';

export interface Action {
  /** A verb with its object: `task.approve`. */
  action: string;
  /** What it is done to: `web/ET-012`. Both may be completed by the action. */
  subject: string;
  detail?: Record<string, unknown>;
}

/**
 * Writes the row as `intended`, runs `fn`, and completes the row. `fn` gets the row's id: the intent that an update to
 * a workflow carries. A row that stays `intended` is of a process that died: what it did is in the other tables.
 */
export async function audited<T>(
  deps: ApiDeps,
  request: FastifyRequest,
  action: Action,
  fn: (intent: number) => Promise<T>,
): Promise<T> {
  const { name, tokenId } = principalOf(request);
  const detail = { ...action.detail, token: tokenId };
  const id = await writeAudit(deps.pool, {
    actor: name,
    action: action.action,
    subject: action.subject,
    result: 'intended',
    detail,
  });
  const complete = (result: string): Promise<void> =>
    setAuditResult(deps.pool, id, result, { subject: action.subject, detail: action.detail ?? {} });
  let value: T;
  try {
    value = await fn(id);
  } catch (err) {
    await complete(`refused: ${err instanceof SignalboxError ? err.code : 'internal'}`);
    throw err;
  }
  await complete('accepted');
  return value;
}
