/**
 * `signalbox up`: the whole stack in one terminal. Order of the start: lock, leftovers of a killed predecessor, Postgres,
 * Temporal, migrations, token, API, worker, ready. The stop goes the other way and leaves agents running.
 */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { createPool } from '../../store/db.js';
import { migrate } from '../../store/migrate.js';
import { connectTemporal, prepareTemporal, type TemporalTarget } from '../../worker/temporal.js';
import { startPostgres } from '../embedded/postgres.js';
import { choosePort } from '../embedded/ports.js';
import { findTemporalBinary } from '../embedded/temporal-binary.js';
import { startTemporalServer } from '../embedded/temporal-server.js';
import type { Environment } from '../environment.js';
import { processRef, type EndSteps, type ProcessRef } from '../processes.js';
import { keepRunning, type Part, type RunningPart } from './child.js';
import { readUpState, removeUpState, writeUpState, type UpState } from './files.js';
import { endLeftovers, STACK_MARK, stackMark, type MarkedPart } from './leftovers.js';
import { lockDataDir } from './lock.js';
import { makeDataDir } from './data-dir.js';
import { startNodePart } from './node-part.js';
import { bootstrapToken } from './token.js';

export interface UpOptions {
  environment: Environment;
  dataDir: string;
  port: number;
  temporalPort: number;
  uiPort: number;
  hostId: string | null;
  /** Progress for people. */
  log: (line: string) => void;
  /** Hears of the log files of the parts before anything is written to them. */
  onLogFiles: (files: string[]) => Promise<void>;
}

export interface Stack {
  state: UpState;
  /** Stops everything but agents. */
  stop(): Promise<void>;
}

/** SIGTERM lets a worker hand its agents over; all of a stop must be over within 10 s. */
const ORDERLY: EndSteps = [
  ['SIGTERM', 5000],
  ['SIGKILL', 2000],
];
const READY_MS = 60_000;

export async function startStack(options: UpOptions): Promise<Stack> {
  await makeDataDir(options.dataDir);
  const dataDir = await realpath(options.dataDir);
  await lockDataDir(dataDir);
  await endLeftovers(dataDir, ORDERLY, options.log);
  const before = await readUpState(dataDir);
  const building = new Building({ ...options, dataDir, before });
  try {
    return await building.build();
  } catch (err) {
    await building.stop();
    throw err;
  }
}

interface BuildOptions extends UpOptions {
  /** What a killed predecessor left: its ports are used again where none is asked for. */
  before: UpState | null;
}

/** Of 127.0.0.1; those of an external Temporal service are not ours to choose. */
interface Ports {
  api: number;
  temporal: number;
  ui: number;
}

/** The stack as far as it stands; parts are stopped in the reverse order of their start. */
class Building {
  readonly #options: BuildOptions;
  readonly #parts: { name: string; part: Part<RunningPart> }[] = [];
  readonly #children: Record<string, ProcessRef> = {};
  #state: UpState | null = null;

  constructor(options: BuildOptions) {
    this.#options = options;
  }

  async build(): Promise<Stack> {
    const { dataDir, environment, onLogFiles, log } = this.#options;
    await onLogFiles(['worker', 'api'].map((name) => this.#logFile(name)));
    // All ports before anything is made: where one is taken, nothing half-made stays behind.
    const ports = await this.#choosePorts();
    const [database, temporal] = await both(
      environment.databaseUrl === null ? this.#startPostgres() : Promise.resolve(environment.databaseUrl),
      environment.temporal === null ? this.#startTemporal(ports) : externalTemporal(environment.temporal),
    );
    log('preparing the database');
    await migrate(database);
    const pool = createPool(database, { max: 2 });
    const token = await bootstrapToken(pool, dataDir).finally(async () => pool.end());
    const address = temporal.target.address;
    const [api] = await both(
      this.#startApi(ports.api, database, temporal.target),
      this.#startWorker(database, temporal.target),
    );
    this.#state = {
      ...(processRef(process.pid) ?? { pid: process.pid, startTime: '' }),
      ...{ api, token, temporal: address, namespace: temporal.target.namespace, ui: temporal.ui, database, dataDir },
      children: this.#children,
    };
    await writeUpState(this.#state);
    return { state: this.#state, stop: async () => this.stop() };
  }

  /** Worker and API together, then the servers together: none of them waits for another of its pair. */
  async stop(): Promise<void> {
    const stop = async (...names: string[]): Promise<void> => {
      const of = this.#parts.filter((each) => names.includes(each.name));
      await Promise.all(of.map(async (each) => each.part.stop()));
    };
    await stop('worker', 'api');
    await stop('temporal', 'postgres');
    await removeUpState(this.#options.dataDir);
  }

  async #keep<T extends RunningPart>(name: string, start: () => Promise<T>): Promise<Part<T>> {
    const onStart = async (running: T): Promise<void> => {
      this.#children[name] = running.process;
      if (this.#state !== null) await writeUpState(this.#state);
    };
    const part = await keepRunning({ name, start, log: this.#options.log, onStart });
    this.#parts.push({ name, part });
    return part;
  }

  async #choosePorts(): Promise<Ports> {
    const { before, environment, port, temporalPort, uiPort } = this.#options;
    const api = await choosePort(port, 'the API', '--port', portOf(before?.api));
    if (environment.temporal !== null) return { api, temporal: 0, ui: 0 };
    return {
      api,
      temporal: await choosePort(temporalPort, 'Temporal', '--temporal-port', portOf(before?.temporal)),
      ui: await choosePort(uiPort, 'the Temporal Web UI', '--ui-port', portOf(before?.ui)),
    };
  }

  async #startPostgres(): Promise<string> {
    const { dataDir, environment, log } = this.#options;
    // The port is kept over restarts: the pools of worker and API know it.
    const preferredPort = portOf(this.#options.before?.database);
    let port = 0;
    const part = await this.#keep('postgres', async () => {
      const options = { dataDir, cacheDir: environment.cacheDir, logFile: this.#logFile('postgres'), log };
      const running = await startPostgres({ ...options, port, preferredPort });
      port = running.port;
      return running;
    });
    return part.current().url;
  }

  async #startTemporal({ temporal: port, ui: uiPort }: Ports): Promise<{ target: TemporalTarget; ui: string | null }> {
    const { dataDir, environment, log } = this.#options;
    const { cacheDir, variables } = environment;
    const binary = await findTemporalBinary({ cacheDir, variables, log });
    log(`Temporal server: ${binary.way}`);
    const logFile = this.#logFile('temporal');
    const mark = { [STACK_MARK]: stackMark('temporal', dataDir) };
    const part = await this.#keep('temporal', async () =>
      startTemporalServer({ binary: binary.file, dataDir, port, uiPort, logFile, env: mark }),
    );
    return { target: part.current().target, ui: `http://127.0.0.1:${uiPort}` };
  }

  async #startApi(chosen: number, database: string, temporal: TemporalTarget): Promise<string> {
    let port = chosen;
    await this.#keep('api', async () => {
      const running = await this.#nodePart('api', ['--port', String(port)], database, temporal);
      port = running.ready.port ?? port;
      return running;
    });
    return `http://127.0.0.1:${port}`;
  }

  async #startWorker(database: string, temporal: TemporalTarget): Promise<void> {
    await this.#keep('worker', async () => this.#nodePart('worker', [], database, temporal));
  }

  async #nodePart(
    part: MarkedPart,
    args: string[],
    database: string,
    temporal: TemporalTarget,
  ): ReturnType<typeof startNodePart> {
    const { dataDir, environment, hostId } = this.#options;
    const own = environment.temporal === null;
    const inherited = Object.entries(environment.variables).filter(([name]) => !(own && name.startsWith('TEMPORAL_')));
    return startNodePart({
      args: [part, ...args],
      cwd: process.cwd(),
      env: {
        ...Object.fromEntries(inherited),
        ...(own ? { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace } : {}),
        ...(hostId === null ? {} : { SIGNALBOX_HOST_ID: hostId }),
        ...{ DATABASE_URL: database, SIGNALBOX_DATA_DIR: dataDir, [STACK_MARK]: stackMark(part, dataDir) },
      },
      logFile: this.#logFile(part),
      endSteps: ORDERLY,
      readyMs: READY_MS,
    });
  }

  #logFile(part: string): string {
    return path.join(this.#options.dataDir, 'logs', `${part}.log`);
  }
}

const portOf = (address: string | null | undefined): number => Number(/:(\d+)(\/|$)/.exec(address ?? '')?.[1] ?? 0);

/** Waits for both also when one fails, so that a stop finds what was started. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return Promise.all([first, second]);
}

async function externalTemporal(target: TemporalTarget): Promise<{ target: TemporalTarget; ui: string | null }> {
  const connection = await connectTemporal(target);
  try {
    await prepareTemporal(connection, target.namespace, false);
  } finally {
    await connection.close();
  }
  return { target, ui: null };
}
