import type { AgentHost } from './host.js';
import { readShim } from './read-records.js';
import { stop } from './supervisor.js';

/**
 * Ends the processes of a run now, and sees to it that a run which has not begun never will. Returns when nothing of it
 * is left; the activity that watches the run stores what it came to.
 */
export async function stopRun(
  host: Pick<AgentHost, 'paths'>,
  runId: string,
  reason: string,
  graceMs?: number,
): Promise<void> {
  const runDir = host.paths.run(runId);
  const claim = readShim(runDir);
  await stop(runDir, { runId, attempt: claim?.attempt ?? 0, fence: claim?.fence ?? 0 }, reason, graceMs);
}
