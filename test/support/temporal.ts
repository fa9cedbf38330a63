/** Connections to the shared Temporal server, for test files. Each file uses a queue prefix of its own. */
import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { inject } from 'vitest';

export interface TestTemporal {
  address: string;
  namespace: 'default';
  client: Client;
  /** Unique, so that files do not poll each other's queues. Workflow ids need a unique repository id as well. */
  queuePrefix: string;
  close(): Promise<void>;
}

export async function connectTemporal(): Promise<TestTemporal> {
  const address = inject('temporalAddress');
  const connection = await Connection.connect({ address });
  return {
    address,
    namespace: 'default',
    client: new Client({ connection, namespace: 'default' }),
    queuePrefix: `test-${randomBytes(4).toString('hex')}`,
    close: () => connection.close(),
  };
}
