/**
 * Which process speaks for a host. Two that do would fence and fail each other's work, so a process begins only where
 * its predecessor is proven dead, said that it stopped, or has been silent for longer than AGENT_STALE.
 */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { bootId, processFacts } from '../activities/agents/processes.js';
import { SignalboxError } from '../domain/errors.js';
import type { Pool } from '../store/db.js';
import { getHost, type Host } from '../store/hosts.js';

/** What a host row says about its process, besides the pid. */
export interface ProcessInfo {
  machine: string;
  bootId: string;
  /** Field 22 of /proc/PID/stat. */
  startTime: string;
  dataDir: string;
}

export function ownProcessInfo(dataDir: string): ProcessInfo {
  const startTime = processFacts(process.pid)?.startTime ?? '';
  return { machine: machineId(), bootId: bootId(), startTime, dataDir };
}

/** Throws where another process speaks for this host. @param staleMs AGENT_STALE */
export async function requireNoRival(pool: Pool, hostId: string, staleMs: number): Promise<void> {
  const host = await getHost(pool, hostId, staleMs);
  if (host === null || !host.live || host.pid === process.pid || isProvenDead(host)) return;
  const info = host.info as Partial<ProcessInfo>;
  throw new SignalboxError(
    'start-failed',
    `the host ${hostId} is served by process ${host.pid} already (data directory ${info.dataDir ?? 'unknown'}` +
      `${info.machine === machineId() ? '' : ', on another machine'}): stop that one, or give this one its own --host-id`,
    { pid: host.pid },
  );
}

function isProvenDead(host: Host): boolean {
  const info = host.info as Partial<ProcessInfo>;
  if (info.machine !== machineId()) return false;
  // The same machine in an earlier life.
  if (info.bootId !== bootId()) return true;
  const facts = processFacts(host.pid);
  return facts === null || facts.zombie || facts.startTime !== info.startTime;
}

/** The machine's own id; its name where it has none (containers). */
function machineId(): string {
  try {
    const id = readFileSync('/etc/machine-id', 'utf8').trim();
    return id === '' ? os.hostname() : `${id}/${os.hostname()}`;
  } catch {
    return os.hostname(); // not every container has the file
  }
}
