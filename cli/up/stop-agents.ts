import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { hostPaths } from '../../activities/paths.js';
import { probe, stop } from '../../activities/agents/supervisor.js';

/** Ends every run of this host that is still going: each agent gets the time to end in order, all at once. */
export async function stopAgents(dataDir: string, log: (line: string) => void): Promise<void> {
  const { runs } = hostPaths(dataDir);
  const names = await readdir(runs).catch((err: unknown) => {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw err;
  });
  await Promise.all(
    names.map(async (name) => {
      const directory = path.join(runs, name);
      const now = probe(directory);
      if (now.state !== 'running') return;
      log(`ending the agent of run ${now.shim.runId}`);
      await stop(directory, now.shim, 'signalbox up --stop-agents was stopped');
    }),
  );
}
