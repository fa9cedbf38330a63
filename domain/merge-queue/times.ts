import type { Settings } from '../settings.js';
import type { QueueTimes } from './state.js';

/** The times of a queue under these settings. */
export const queueTimes = (settings: Settings): QueueTimes => ({
  mergeLease: settings.MERGE_LEASE,
  hostStale: settings.AGENT_STALE,
  backoffBase: settings.BACKOFF_BASE,
  backoffMax: settings.BACKOFF_MAX,
  repairWait: settings.REPAIR_WAIT,
});
