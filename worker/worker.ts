/**
 * The worker process of a host: claims the host, takes over what a dead predecessor left, and serves the control queue
 * and the host's own queues until it is stopped. Stopping hands agents over: they go on, and the next worker takes
 * them up.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { showPullRequestBy } from '../activities/forge/index.js';
import { gitHostFor } from '../activities/git/index.js';
import { hostPaths } from '../activities/paths.js';
import { SignalboxError } from '../domain/errors.js';
import type { Settings } from '../domain/settings.js';
import { createPool } from '../store/db.js';
import { migrate } from '../store/migrate.js';
import { controlQueue, hostQueue, type HostQueueKind } from '../workflows/ids.js';
import { createActivities, type HostActivities } from './activities.js';
import { adoptPredecessorsWork, workerIdentity } from './adoption.js';
import { ownProcessInfo, requireNoRival } from './host-process.js';
import { keepSweeping } from './janitor.js';
import { startOutbox } from './outbox.js';
import { startPresence } from './presence.js';
import { runtimeLogger } from './runtime-logger.js';
import { connectTemporal, prepareTemporal, type TemporalTarget } from './temporal.js';

export interface WorkerConfig {
  databaseUrl: string;
  temporal: TemporalTarget;
  dataDir: string;
  hostId: string;
  settings: Settings;
  /** The environment of this process, for `env:NAME` references and what agents may inherit. */
  variables: Readonly<Record<string, string | undefined>>;
  log: Logger;
}

export interface RunningWorker {
  /** Begins to hand over; `ended` resolves when that is done. */
  stop(): void;
  /** Rejects when the worker cannot go on. */
  ended: Promise<void>;
}

/** Activities that do not heed the shutdown are left behind after this; the retry looks before it acts. */
const SHUTDOWN_FORCE = 3000;
/** A heartbeat is a paid call, and a dead worker is found out by presence and adoption, not by silence. */
const HEARTBEAT_THROTTLE = '4m';
/** Git work is short and bound by the lock of each gate. */
const GIT_AT_ONCE = 8;
/** Slots are granted by rows before an agent is scheduled; a few more take runs that end while others begin. */
const SPARE_AGENTS = 8;

/** Starts everything; returns when the worker takes work. */
export async function startWorker(config: WorkerConfig): Promise<RunningWorker> {
  const { settings, log, hostId, databaseUrl } = config;
  const { namespace } = config.temporal;
  Runtime.install({
    logger: runtimeLogger(log),
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
  await migrate(databaseUrl);
  const pool = createPool(databaseUrl, {
    max: 20,
    onIdleError: (err) => log.warn({ err }, 'an idle connection to Postgres broke'),
  });
  const connection = await connectTemporal(config.temporal);
  await prepareTemporal(connection, namespace, false);
  const client = new Client({ connection, namespace });
  await requireNoRival(pool, hostId, settings.AGENT_STALE);
  const slots = hostSlots(settings);
  const stopping = new AbortController();
  const presence = await startPresence({
    pool,
    host: { id: hostId, pid: process.pid, ...slots, info: { ...ownProcessInfo(config.dataDir) } },
    staleMs: settings.AGENT_STALE,
    log,
    onSuperseded: () => stopping.abort(new SignalboxError('superseded', `another process serves the host ${hostId}`)),
  });
  const native = await NativeConnection.connect(config.temporal.connectionOptions);
  const identity = workerIdentity(hostId, presence.incarnation);
  const queuePrefix = settings.QUEUE_PREFIX ?? '';
  const activities = createActivities({ ...config, pool, client, queuePrefix });
  const workers = await createWorkers(config, slots, native, identity, activities);
  const runs = workers.map(async (worker) => worker.run());
  for (const run of runs) run.catch((err: unknown) => stopping.abort(err));
  const git = gitHostFor({ paths: hostPaths(config.dataDir), lookup: (name) => config.variables[name] });
  const showPullRequest = showPullRequestBy(git, pool);
  const outbox = await startOutbox({ pool, client, settings, queuePrefix, showPullRequest, databaseUrl, log });
  const sweeping = keepSweeping(activities.janitor, log, stopping.signal);
  void adoptPredecessorsWork({ client, hostId, incarnation: presence.incarnation, log, signal: stopping.signal });

  async function untilStopped(): Promise<void> {
    if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all([Promise.allSettled(runs), outbox.stop(), sweeping]);
    await presence.stop();
    await Promise.all([native.close(), connection.close(), pool.end()]);
    if (stopping.signal.reason instanceof Error && stopping.signal.reason.name !== 'AbortError') {
      throw stopping.signal.reason;
    }
  }

  return { stop: () => stopping.abort(), ended: untilStopped() };
}

/** One Worker for each queue of this host, so that hours of agents never make a publish of a second wait. */
async function createWorkers(
  config: WorkerConfig,
  slots: HostSlots,
  connection: NativeConnection,
  identity: string,
  activities: HostActivities,
): Promise<Worker[]> {
  const { hostId, settings } = config;
  const prefix = settings.QUEUE_PREFIX ?? '';
  const shared = { connection, namespace: config.temporal.namespace, identity, shutdownForceTime: SHUTDOWN_FORCE };
  const host = (kind: HostQueueKind, atOnce: number): WorkerOptions => ({
    ...shared,
    taskQueue: hostQueue(prefix, hostId, kind),
    activities: activities[kind],
    maxConcurrentActivityTaskExecutions: atOnce,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
  });
  return Promise.all(
    [
      {
        ...shared,
        taskQueue: controlQueue(prefix),
        workflowBundle: { codePath: workflowBundle() },
        activities: activities.records,
        // Refusing an update means sending it back: with the limit on, one of 3 MB makes its workflow fail every task
        // for ever. The server refuses such an update alone; what our workflows send is small by design.
        disablePayloadErrorLimit: true,
      },
      host('git', GIT_AT_ONCE),
      host('agent', slots.agentSlots + SPARE_AGENTS),
      host('check', slots.checkSlots),
    ].map(async (options) => Worker.create(options)),
  );
}

/** Built once, by `npm run build`. */
function workflowBundle(): string {
  const up = import.meta.url.endsWith('.ts') ? '../dist' : '..';
  const file = fileURLToPath(new URL(`${up}/workflows/bundle-code.cjs`, import.meta.url));
  if (!existsSync(file)) throw new SignalboxError('start-failed', `${file} is missing: run npm run build`);
  return file;
}

interface HostSlots {
  agentSlots: number;
  checkSlots: number;
}

function hostSlots(settings: Settings): HostSlots {
  const cores = os.availableParallelism();
  return {
    agentSlots: settings.AGENT_SLOTS || cores,
    checkSlots: settings.CHECK_SLOTS || Math.max(1, Math.floor(cores / 2)),
  };
}
