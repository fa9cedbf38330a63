/**
 * One external check: the commit is put on the remote, then the forge is asked for its status, ever rarer, and at once
 * when a hook says that there is news. Each look is an activity of seconds; in between there is a timer.
 *
 *     putting -> looking -> waiting -> looking … -> green | red | fault (its time is over, or the forge refuses)
 */
import { condition } from '@temporalio/workflow';
import { externalResult, readingText, untilNextLook } from '../domain/checks/external.js';
import type { CheckRunResult, ExternalCheck } from '../domain/checks/types.js';
import type { CheckInput } from './activities.js';
import { onHost } from './on-host.js';
import { gitOn } from './proxies.js';

export interface ExternalContext {
  input: CheckInput;
  host: string;
  /** How often a hook brought news. */
  news: () => number;
  show(now: string): void;
}

/** Null when the host was lost: nothing is known then, and another host may go on. */
export async function externalCheck(ctx: ExternalContext, check: ExternalCheck): Promise<CheckRunResult | null> {
  const { input, host } = ctx;
  const { context } = check;
  const began = Date.now();
  const forge = (summary: string) => gitOn(input.queuePrefix, host, summary);
  const at = <T>(work: () => Promise<T>) => onHost(input.queuePrefix, host, input.settings.hostStale, work);
  const put = await at(() => forge(`put the commit on the remote for ${context}`).putExternalCheck(input, check));
  if (put === null) return null;
  if (put.kind !== 'put') return { kind: 'fault', reason: put.reason };

  for (;;) {
    const seen = ctx.news();
    const look = await at(() => forge(`status of ${context}`).readExternalCheck(input, check, put.commit));
    if (look === null) return null;
    const elapsed = Date.now() - began;
    if (look.kind === 'refused') return { kind: 'fault', reason: look.reason };
    const result = look.kind === 'read' ? externalResult(check, look.reading, elapsed / 1000) : null;
    if (result !== null) return result;
    const last = look.kind === 'read' ? readingText(look.reading) : look.reason;
    const left = check.timeout - elapsed;
    if (left <= 0) return { kind: 'fault', reason: `the check ${check.name} did not end in time; last seen: ${last}` };
    ctx.show(`waiting for the forge to say ${context} of ${put.commit}; last seen: ${last}`);
    const patience = Math.min(untilNextLook(elapsed, input.settings), left);
    await condition(() => ctx.news() > seen, patience, { summary: `next look at ${context}` });
  }
}
