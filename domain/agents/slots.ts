/**
 * Who gets a free slot. Invariants: no host runs more than its slots; the line is first come, first served; a job is
 * overtaken only while it waits for the live host that holds its clone; a preference for a host that is not live is
 * none.
 */
export interface WaitingJob {
  runId: string;
  preferHost: string | null;
}

export interface HostRoom {
  id: string;
  slots: number;
  running: number;
}

/**
 * @param line oldest first
 * @param hosts the live ones
 */
export function assignSlots(
  line: readonly WaitingJob[],
  hosts: readonly HostRoom[],
): { runId: string; host: string }[] {
  const room = new Map(hosts.map((host) => [host.id, Math.max(0, host.slots - host.running)]));
  const grants: { runId: string; host: string }[] = [];
  for (const job of line) {
    const host = pick(job, room);
    if (host === null) continue;
    room.set(host, (room.get(host) ?? 0) - 1);
    grants.push({ runId: job.runId, host });
  }
  return grants;
}

/** The preferred host if it lives (full = wait for it), else the one with the most room. */
function pick(job: WaitingJob, room: ReadonlyMap<string, number>): string | null {
  if (job.preferHost !== null && room.has(job.preferHost)) {
    return (room.get(job.preferHost) ?? 0) > 0 ? job.preferHost : null;
  }
  let best: string | null = null;
  for (const [id, free] of room) if (free > (best === null ? 0 : (room.get(best) ?? 0))) best = id;
  return best;
}

/** Why a job is not granted, for people. */
export function whyWaiting(job: WaitingJob, hosts: readonly HostRoom[]): string {
  if (hosts.length === 0) return 'no host is live';
  const preferred = hosts.find((host) => host.id === job.preferHost);
  if (preferred) return `all ${preferred.slots} agent slots of ${preferred.id}, which holds the clone, are taken`;
  return `all ${hosts.reduce((sum, host) => sum + host.slots, 0)} agent slots of ${hosts.length} live host(s) are taken`;
}
