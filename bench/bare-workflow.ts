/** The bare baseline of the benches: a Temporal workflow with a number of no-op activities, on the same server. */
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { elapsed } from './histories.js';

export interface Bare {
  /** Milliseconds of one workflow of `count` activities. */
  run(n: number, count: number): Promise<number>;
  stop(): Promise<void>;
}

/** A worker for it, on the server at `address`. */
export async function startBare(temporal: Client, address: string): Promise<Bare> {
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue: 'bench-bare',
    workflowsPath: fileURLToPath(new URL('./noop-workflow.js', import.meta.url)),
    activities: { noop: () => Promise.resolve() },
  });
  const ended = worker.run();
  return {
    async run(n, count) {
      const options = { workflowId: `bare-${n}`, taskQueue: 'bench-bare', args: [count] };
      const handle = await temporal.workflow.start('bare', options);
      await handle.result();
      return elapsed(await handle.fetchHistory());
    },
    async stop() {
      worker.shutdown();
      await ended;
      await connection.close();
    },
  };
}
