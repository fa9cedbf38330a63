/** Work on a host that may be lost while it is done. */
import { CancellationScope, condition } from '@temporalio/workflow';
import { reasonOf } from './failures.js';
import { records } from './proxies.js';

export interface Failed {
  kind: 'failed';
  reason: string;
}

/**
 * What the work gives, or why it failed; null when the host was lost, which is nobody's fault.
 *
 * @param hostStale milliseconds after which its presence is asked for
 */
export async function onHost<T>(
  queuePrefix: string,
  host: string,
  hostStale: number,
  work: () => Promise<T>,
): Promise<T | Failed | null> {
  const scope = new CancellationScope();
  const outcome: { result: T | Failed | null } = { result: null };
  void scope.run(async () => {
    try {
      outcome.result = await work();
    } catch (err) {
      outcome.result = { kind: 'failed', reason: reasonOf(err) };
    }
  });
  // Ever rarer, so that a long check costs few looks; a lost host is found before its time has doubled.
  for (let patience = hostStale; ; patience *= 2) {
    if (await condition(() => outcome.result !== null, patience, { summary: `does ${host} still live?` })) break;
    const answer = await records(queuePrefix, `does ${host} still live?`).liveHost('check', host);
    if (outcome.result !== null || answer.host === null || answer.host === host) continue;
    scope.cancel();
    return null;
  }
  return outcome.result;
}
