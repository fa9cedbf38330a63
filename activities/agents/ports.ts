/**
 * Ports of a check: a range that no other one on this machine has while it runs, of whatever instance. Each port is
 * leased by a socket with an abstract name, held by the supervisor of the run: the kernel gives it to one process at a
 * time and frees it with that process, however it ends. Such names belong to the network namespace, as ports do.
 *
 * A range in which somebody listens is passed over. Where all are taken, the supervisor waits: nothing runs yet, so no
 * limit of a check counts. Node built-ins only: the shim loads this.
 */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Of a spec: what the host gives to checks, and how many each gets. */
export interface SupervisedPorts {
  first: number;
  /** Included. */
  last: number;
  each: number;
}

export interface PortLease {
  /** Told to the commands. */
  env: Record<string, string>;
  free(): void;
}

const WAIT_MS = 250;

function listen(at: net.ListenOptions): Promise<net.Server | null> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(null));
    server.listen(at, () => resolve(server));
  });
}

/** Whether somebody listens on a port, on any address. */
async function isFree(port: number): Promise<boolean> {
  const server = await listen({ port, exclusive: true });
  if (server === null) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

async function tryRange(first: number, count: number): Promise<PortLease | null> {
  const held: net.Server[] = [];
  const free = (): void => held.splice(0).forEach((server) => server.close());
  for (let port = first; port < first + count; port += 1) {
    const lease = await listen({ path: `\0signalbox-port-${port}` });
    lease?.unref();
    if (lease !== null) held.push(lease);
    if (lease === null || !(await isFree(port))) {
      free();
      return null;
    }
  }
  const env = {
    ...{ SIGNALBOX_PORT: String(first), SIGNALBOX_PORT_COUNT: String(count) },
    SIGNALBOX_PORTS: `${first}-${first + count - 1}`,
  };
  return { env, free };
}

/** A free range; waits for one until `stopped` says that nobody wants it any more: then null. `waiting` is called once. */
export async function leasePorts(
  { first, last, each }: SupervisedPorts,
  stopped: () => boolean,
  waiting: () => void = () => undefined,
): Promise<PortLease | null> {
  for (let round = 0; ; round += 1) {
    for (let at = first; at + each - 1 <= last; at += each) {
      if (stopped()) return null;
      const lease = await tryRange(at, each);
      if (lease !== null) return lease;
    }
    if (round === 0) waiting();
    // Two that want overlapping ranges do not try in step for ever.
    await sleep(WAIT_MS * (0.5 + Math.random()));
  }
}
