/** Everything that the doctor looks at. */
import type { TemporalTarget } from '../../worker/temporal.js';
import { findTemporalBinary } from '../embedded/temporal-binary.js';
import type { Environment } from '../environment.js';
import { isAlive } from '../processes.js';
import { readUpState, type UpState } from '../up/files.js';
import { guarded, note, ok, type Check } from './check.js';
import { checkFleet } from './fleet.js';
import { checkMachine } from './machine.js';
import { checkPostgres, checkTemporal } from './services.js';
import { checkSpawn } from './spawn.js';

export async function examine(environment: Environment, dataDir: string, spawn: boolean): Promise<Check[]> {
  const machine = await checkMachine(dataDir);
  let up: UpState | null = null;
  const instance = await guarded(
    'instance',
    `see that you may read ${dataDir}, or name another with --data-dir`,
    async () => {
      const state = await readUpState(dataDir);
      if (state !== null && isAlive(state)) up = state;
      return [];
    },
  );
  const [postgres, temporal, spawned] = await Promise.all([
    examinePostgres(environment, dataDir, up),
    examineTemporal(environment, up),
    spawn ? guarded('spawn', 'see the message', async () => checkSpawn(environment.variables['PATH'] ?? '')) : [],
  ]);
  return [...machine, ...instance, ...postgres, ...temporal, ...spawned];
}

async function examinePostgres(environment: Environment, dataDir: string, up: UpState | null): Promise<Check[]> {
  const url = environment.databaseUrl ?? up?.database ?? null;
  if (url === null) return [note('postgres', 'embedded; it is looked at while signalbox up runs')];
  return checkPostgres(url, async (pool) => checkFleet(pool, environment, dataDir));
}

async function examineTemporal(environment: Environment, up: UpState | null): Promise<Check[]> {
  const target = environment.temporal ?? (up === null ? null : embedded(up));
  if (target !== null) return checkTemporal(target);
  return guarded('temporal', 'see the message', async () => {
    const { cacheDir, variables } = environment;
    const binary = await findTemporalBinary({ cacheDir, variables, log: () => undefined });
    return [ok('temporal', `embedded: ${binary.way}`)];
  });
}

const embedded = (up: UpState): TemporalTarget => ({
  address: up.temporal,
  namespace: up.namespace,
  connectionOptions: { address: up.temporal },
});
