/**
 * The presence of this host: a row that a plain timer keeps fresh, under the incarnation that this process claimed at
 * its start. A process whose host was claimed by a newer one hears of it, and no longer speaks for the host.
 */
import type { Logger } from 'pino';
import { transaction, type Pool, type Tx } from '../store/db.js';
import { claimHost, heartbeatHost, stopHost } from '../store/hosts.js';
import { grantSlots, noticeHosts } from '../store/jobs.js';

export interface PresenceOptions {
  pool: Pool;
  host: { id: string; pid: number; agentSlots: number; checkSlots: number; info: Record<string, unknown> };
  /** AGENT_STALE in ms; the row is touched four times as often. */
  staleMs: number;
  log: Logger;
  /** A newer process speaks for this host id. Called once; the presence has ended by then. */
  onSuperseded: () => void;
}

export interface Presence {
  incarnation: number;
  /** Says that the host stops in order. Never throws. */
  stop(): Promise<void>;
}

/** What a change of presence means for others: jobs that wait for a host, and tasks whose agent is on one. */
async function lookAround(tx: Tx, staleMs: number): Promise<void> {
  await grantSlots(tx, staleMs);
  await noticeHosts(tx, staleMs);
}

/** Claims the host, gives its slots to waiting jobs, and keeps it present until `stop`. */
export async function startPresence(options: PresenceOptions): Promise<Presence> {
  const { pool, host, staleMs, log } = options;
  const incarnation = await transaction(pool, async (tx) => {
    const claimed = await claimHost(tx, host);
    await lookAround(tx, staleMs);
    return claimed;
  });
  const stopping = new AbortController();
  const over = (): boolean => stopping.signal.aborted;
  let timer: NodeJS.Timeout | undefined;
  let beat: Promise<void> = Promise.resolve();

  const tick = async (): Promise<void> => {
    try {
      if (!(await heartbeatHost(pool, host.id, incarnation))) {
        if (over()) return;
        stopping.abort();
        log.error({ host: host.id, incarnation }, 'another process speaks for this host now');
        options.onSuperseded();
        return;
      }
      // Another host may have fallen silent meanwhile, and its waiting jobs may run here.
      await transaction(pool, (tx) => lookAround(tx, staleMs));
    } catch (err) {
      log.warn({ err, host: host.id }, 'presence could not be written; the next beat tries again');
    }
    arm();
  };
  const arm = (): void => {
    if (over()) return;
    timer = setTimeout(() => {
      beat = tick();
    }, staleMs / 4);
  };
  arm();

  return {
    incarnation,
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      await beat;
      try {
        await stopHost(pool, host.id, incarnation);
      } catch (err) {
        log.warn({ err, host: host.id }, 'the host could not be marked as stopped; it will count as silent soon');
      }
    },
  };
}
