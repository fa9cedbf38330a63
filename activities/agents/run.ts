/**
 * The activity of one run of an agent. It may be killed and repeated at any point, by any worker of the host: it finds
 * what is there and goes on. Only the attempt that holds the newest fence signals the run or stores its result.
 *
 *   claim the fence → (stored report? that) → prepare → start once or attach → wait → take over → store, give the slot on
 */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { CancelledFailure } from '@temporalio/common';
import { Context, log } from '@temporalio/activity';
import type { RunReport } from '../../domain/agents/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { transaction } from '../../store/db.js';
import { getRepo } from '../../store/repos.js';
import { findProfile } from '../../store/agent-profiles.js';
import { addRunKey } from '../../store/run-keys.js';
import { crashPoint } from '../crash-points.js';
import { scanConflicts } from '../git/predict.js';
import { claimRun, finishRun, getRun, noteRunStarted, type Run } from '../../store/runs.js';
import { mirrorTask } from '../../store/task-mirror.js';
import type { RunAgentInput } from '../../workflows/activities.js';
import { isWorkflowCancel, withHeartbeat } from './heartbeat.js';
import { baseEnvironment, type AgentHost } from './host.js';
import { factsOf, prepareRun } from './prepare-run.js';
import { plainSize } from './plain-file.js';
import { runFiles } from './records.js';
import { runEnd, settleRun, type Settled } from './settle-run.js';
import { OVERDUE_MS, probe, probeAfterStart, startOrAttach, stop, waitForEnd, type RunProbe } from './supervisor.js';
import { newKey } from './warrant.js';

const LOOK_MS = 10_000;
/** Of a run that is over, for its successor. */
const SCAN_PATIENCE_MS = 10_000;

const superseded = (runId: string): SignalboxError =>
  new SignalboxError('superseded', `another attempt owns the run ${runId}, or it is over`);

/** Runs the agent of a stage to its end. Throws `superseded` for an attempt that no longer owns the run. */
export async function runAgent(host: AgentHost, input: RunAgentInput): Promise<RunReport> {
  const run = await claimRun(host.pool, input.run.runId);
  if (run?.report != null) return run.report;
  if (run?.status !== 'running') throw superseded(input.run.runId);
  const runDir = host.paths.run(run.id);
  const details = () => ({
    runId: run.id,
    fence: run.fence,
    outOffset: plainSize(runFiles(runDir).out),
    lastEvent: null,
  });
  return withHeartbeat(details, async (ended) => {
    await transaction(host.pool, (tx) => mirrorTask(tx, input.mirror));
    const repo = await getRepo(host.pool, run.repo);
    if (repo === null) throw new SignalboxError('not-found', `there is no repository ${run.repo}`);
    const settled = (await begin(host, repo, input, run)) ?? (await untilEnd(host, repo, input, run, ended));
    crashPoint('run-before-store');
    const report = await store(host, run, settled);
    crashPoint('run-after-store');
    if (report.head !== input.head) await lookForConflicts(host, repo);
    return report;
  });
}

/** A new head: whether it merges is known to the next prompt. Only a help, so nothing hangs on it. */
async function lookForConflicts(host: AgentHost, { id, base }: Repo): Promise<void> {
  const patience = AbortSignal.timeout(SCAN_PATIENCE_MS);
  const looked: Promise<void> = scanConflicts(host.git, host.pool, id, base).then(
    () => undefined,
    // Its fault is in the row of the scan, unless that cannot be written either.
    (err: unknown) => {
      log.warn('conflicts were not looked for', { repo: id, base, err: String(err) });
    },
  );
  await Promise.race([looked, once(patience, 'abort')]);
}

/** Starts the run unless that was done before; gives a result only when it cannot be started. */
async function begin(host: AgentHost, repo: Repo, input: RunAgentInput, run: Run): Promise<Settled | null> {
  const runDir = host.paths.run(run.id);
  // One that was seen running has started, whatever lies in its directory now.
  if (run.pid !== null || (await probeAfterStart(runDir)).state !== 'starting') return null;
  const prepared = await prepareRun(host, repo, input, run.fence);
  if (prepared.kind === 'impossible') {
    const report = {
      runId: run.id,
      outcome: prepared.outcome,
      head: input.head,
      commits: 0,
      notes: [],
      artifacts: {},
    };
    return { report, usage: null, exitCode: null };
  }
  const { spec } = prepared;
  const key = newKey();
  await addRunKey(host.pool, run.id, { key, facts: factsOf(spec) });
  await requireRun(host, run);
  crashPoint('run-before-start');
  await startOrAttach(runDir, spec, baseEnvironment(host.lookup), key);
  crashPoint('run-after-start');
  return null;
}

async function untilEnd(
  host: AgentHost,
  repo: Repo,
  input: RunAgentInput,
  run: Run,
  ended: AbortSignal,
): Promise<Settled> {
  const runDir = host.paths.run(run.id);
  const latest = performance.now() + (await longest(host, repo, run));
  await noteStarted(host, input, run, probe(runDir));
  for (;;) {
    const now = await waitForEnd(runDir, LOOK_MS, ended);
    const over = now.state === 'exited' || now.state === 'lost';
    if (over || !ended.aborted) await requireRun(host, run);
    if (over) return settleRun(host, repo, input, now);
    if (performance.now() > latest) return settleRun(host, repo, input, { state: 'overdue' });
    if (!ended.aborted) continue;
    // The agent goes on without us, unless the workflow itself wants it to end.
    if (!isWorkflowCancel()) throw ended.reason instanceof Error ? ended.reason : new CancelledFailure('detached');
    await requireRun(host, run);
    const stopped = await stop(runDir, claimOf(run), 'the task cancelled it');
    await store(host, run, await settleRun(host, repo, input, stopped));
    return Context.current().cancelled;
  }
}

/** Milliseconds after which a supervisor must have ended a run, if nobody holds it up. */
async function longest(host: AgentHost, repo: Repo, run: Run): Promise<number> {
  const profile = await findProfile(host.pool, run.agent);
  return (profile?.limits.wallMs ?? Infinity) + (repo.config.setup?.timeout ?? 0) + OVERDUE_MS;
}

const claimOf = (run: Run) => ({ runId: run.id, attempt: run.attempt, fence: run.fence });

/**
 * Throws `superseded` where another attempt has the run, or nobody wants it any more: it was given up with its host or
 * its workflow, and then its processes end here.
 */
async function requireRun(host: AgentHost, run: Run): Promise<void> {
  const now = await getRun(host.pool, run.id);
  if (now?.fence === run.fence && now.status === 'running') return;
  if (now?.status !== 'running' && now?.report == null) {
    await stop(host.paths.run(run.id), claimOf(run), 'the run was given up');
  }
  throw superseded(run.id);
}

async function noteStarted(host: AgentHost, { overrides }: RunAgentInput, run: Run, now: RunProbe): Promise<void> {
  const shim = now.state === 'running' || now.state === 'exited' ? now.shim : null;
  if (shim === null) return;
  const model = overrides.model ?? run.model;
  const effort = overrides.effort ?? run.effort;
  const logPath = runFiles(host.paths.run(run.id)).out;
  const facts = { pid: shim.pid, logPath, adapter: run.adapter, model, effort };
  if (!(await noteRunStarted(host.pool, run.id, run.fence, facts))) throw superseded(run.id);
}

/** Stores the result once and gives the slot on; what another attempt stored before counts instead. */
async function store(host: AgentHost, run: Run, settled: Settled): Promise<RunReport> {
  const stored = await transaction(host.pool, (tx) => finishRun(tx, runEnd(run, settled), host.staleMs));
  if (stored) {
    await rm(runFiles(host.paths.run(run.id)).bundle, { force: true });
    return settled.report;
  }
  const report = (await getRun(host.pool, run.id))?.report;
  if (report == null) throw superseded(run.id);
  return report;
}
