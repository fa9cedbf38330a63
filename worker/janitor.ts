/** Runs the janitor of a host at start and every minute, until it is stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { JanitorReport } from '../activities/agents/janitor.js';

const EVERY_MS = 60_000;

/** Returns when the signal aborts and a sweep that was under way has ended. */
export async function keepSweeping(
  sweep: () => Promise<JanitorReport>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const report = await sweep();
      const { ended, removed, troubles, unattended } = report;
      if (troubles.length > 0) log.warn({ troubles }, 'not all of it could be swept; the next sweep tries again');
      if (ended.length + removed.length + unattended.length > 0) log.info(report, 'swept');
    } catch (err) {
      log.warn({ err }, 'the sweep failed; the next one follows');
    }
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined); // the abort ends the wait
  }
}
