/**
 * One execution of the checks of a tree, under the same supervisor as agents: on an export of exactly that tree, with an
 * environment of its own, logs on disk. A repeat after a lost worker joins the execution that runs.
 */
import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { configHash, selectChecks } from '../../domain/checks/config-hash.js';
import { checkedCommit, namesOf } from '../../domain/checks/external.js';
import { decideCheck } from '../../domain/checks/run-result.js';
import type { CheckRunResult, CommandCheck } from '../../domain/checks/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { PORTS_EACH } from '../../domain/settings.js';
import { finishCheckJob, startCheckJob } from '../../store/jobs.js';
import { addRunKey, runKeys } from '../../store/run-keys.js';
import { crashPoint } from '../crash-points.js';
import { getRepo } from '../../store/repos.js';
import type { CheckInput } from '../../workflows/activities.js';
import { checkRunId, checkWorkflowId } from '../../workflows/ids.js';
import { openExport, parkExport, type OpenExport } from '../exports/warm.js';
import { exportTree } from '../git/export.js';
import { isWorkflowCancel, withHeartbeat } from '../agents/heartbeat.js';
import { baseEnvironment, type AgentHost } from '../agents/host.js';
import { plainTail } from '../agents/plain-file.js';
import { runFiles, type SupervisedSpec } from '../agents/records.js';
import { removeTree } from '../agents/remove-tree.js';
import { vouchedEnd, type RunEnding, type VouchedEnd } from '../agents/settle-run.js';
import { killTree, OVERDUE_MS, probeAfterStart, startOrAttach, stop, waitForEnd } from '../agents/supervisor.js';
import { newKey } from '../agents/warrant.js';

const LOOK_MS = 10_000;
const LOG_LIMIT = 256 * 1024 * 1024;
const TAIL_READ = 256 * 1024;

/** Runs the checks once. Everything that is not the content's doing comes back as a fault. */
export async function runCheck(host: AgentHost, input: CheckInput, attempt: number): Promise<CheckRunResult> {
  const repo = await getRepo(host.pool, input.repo);
  if (repo === null) throw new SignalboxError('not-found', `there is no repository ${input.repo}`);
  if (hashNow(repo, input) !== input.configHash) {
    return { kind: 'fault', reason: 'the checks of the repository were changed since they were asked for' };
  }
  const checks = repo.config.checks
    .filter((c) => c.kind === 'command')
    .filter((c) => input.checks === null || input.checks.includes(c.name));
  const runId = checkRunId(input.key, Context.current().info.workflowExecution?.runId ?? '', attempt);
  const runDir = host.paths.run(runId);
  await startCheckJob(host.pool, { runId, repo: repo.id, workItem: workItemOf(input), workflowId: workflowOf(input) });
  return withHeartbeat(
    () => ({ runId }),
    async (ended) => {
      await inTurn(runDir, async () => {
        if ((await probeAfterStart(runDir)).state !== 'starting') return;
        const key = newKey();
        const keysOf = async (id: string): Promise<string[]> => (await runKeys(host.pool, id)).map((k) => k.key);
        await addRunKey(host.pool, runId, { key, facts: null });
        const spec = await prepare(host, repo, input, checks, { id: runId, key, keysOf });
        await startOrAttach(runDir, spec, baseEnvironment(host.lookup), key);
      });
      const end = await untilEnd(runDir, runId, longest(repo, checks), ended);
      crashPoint('check-before-result');
      const vouched = await vouchedEnd(host.pool, runId, end);
      const result = resultOf(runDir, vouched, repo, checks);
      const left = await killTree(runDir);
      // Whoever is left may go on writing.
      if (vouched.kind === 'ended' && vouched.exit.survivors + left === 0) await parkExport(host, repo, runId);
      else await removeTree(`${host.paths.exports}/${runId}`);
      await finishCheckJob(host.pool, runId, errorOf(result));
      return result;
    },
  );
}

/** The verdict is of a configuration: of another one it would say nothing. Null where a check that it needs is gone. */
function hashNow({ config }: Repo, { source, steps, checks }: CheckInput): string | null {
  const names = steps === undefined ? checks : namesOf(steps);
  if (names?.some((name) => config.checks.every((check) => check.name !== name))) return null;
  return configHash(selectChecks(config.checks, names), config.setup, checkedCommit(source));
}

const turns = new Map<string, Promise<unknown>>();

/** One attempt of this worker at a time starts a run: another one must not make anew what its supervisor runs in. */
async function inTurn(runDir: string, action: () => Promise<void>): Promise<void> {
  const before = turns.get(runDir);
  // Whether those before succeeded is their own affair.
  const mine = (before ?? Promise.resolve()).catch(() => undefined).then(action);
  turns.set(runDir, mine);
  try {
    await mine;
  } finally {
    if (turns.get(runDir) === mine) turns.delete(runDir);
  }
}

async function prepare(
  host: AgentHost,
  repo: Repo,
  input: CheckInput,
  checks: readonly CommandCheck[],
  run: Parameters<typeof openExport>[3],
): Promise<SupervisedSpec> {
  const opened = checks.some((c) => c.needsHistory)
    ? await exportWithHistory(host, repo, input, run.id)
    : await openExport(host, repo, input.source, run);
  if (opened.tree !== input.tree) {
    throw new SignalboxError('internal', `${input.key}: the source gives the tree ${opened.tree}`);
  }
  const env = { ...baseEnvironment(host.lookup), SIGNALBOX_REPO: repo.id };
  const { setup } = repo.config;
  return {
    runId: run.id,
    attempt: 1,
    fence: 1,
    cwd: opened.cwd,
    git: null,
    setup: setup && {
      ...{ command: setup.command, env, timeoutMs: setup.timeout },
      ...{ cacheKey: setup.cacheKey, cacheDir: host.paths.setupCache(repo.id) },
      ...{ cache: opened.setup === 'whole' ? [] : setup.cache, done: opened.setup === 'restored' },
    },
    commands: checks.map(({ name, command, timeout, env: own }) => ({
      ...{ name, command, wallMs: timeout, stallMs: null },
      env: { ...env, ...own },
    })),
    ports: { ...host.checks.ports, each: PORTS_EACH },
    output: { bytes: LOG_LIMIT, streams: 'merged' },
    result: false,
  };
}

/** With a `.git` that the check may write to: such an export is for one check alone. */
async function exportWithHistory(
  host: AgentHost,
  repo: Repo,
  input: CheckInput,
  runId: string,
): Promise<Pick<OpenExport, 'cwd' | 'tree' | 'setup'>> {
  const cwd = `${host.paths.exports}/${runId}`;
  await removeTree(cwd);
  const { tree } = await exportTree(host.git, repo, input.source, cwd, true);
  return { cwd, tree, setup: 'to-run' };
}

/** Milliseconds after which a supervisor must have ended the checks, if nobody holds it up. */
function longest(repo: Repo, checks: readonly CommandCheck[]): number {
  return checks.reduce((sum, c) => sum + c.timeout, (repo.config.setup?.timeout ?? 0) + OVERDUE_MS);
}

async function untilEnd(runDir: string, runId: string, ms: number, ended: AbortSignal): Promise<RunEnding> {
  for (const latest = performance.now() + ms; ;) {
    const now = await waitForEnd(runDir, LOOK_MS, ended);
    if (now.state === 'exited' || now.state === 'lost') return now;
    if (performance.now() > latest) return { state: 'overdue' };
    if (!ended.aborted) continue;
    // Like an agent, a check goes on without its worker, unless the workflow wants it to end.
    if (isWorkflowCancel()) await stop(runDir, { runId, attempt: 1, fence: 1 }, 'the check was cancelled');
    throw ended.reason instanceof Error ? ended.reason : new CancelledFailure('detached');
  }
}

function resultOf(runDir: string, end: VouchedEnd, repo: Repo, checks: readonly CommandCheck[]): CheckRunResult {
  if (end.kind === 'lost') return { kind: 'fault', reason: end.reason };
  const { exit } = end;
  const files = runFiles(runDir);
  const inSetup = exit.setup.end === 'failed';
  const output = inSetup
    ? plainTail(files.setupLog, 0, TAIL_READ)
    : plainTail(files.out, exit.commands.at(-1)?.logFrom ?? 0, TAIL_READ);
  return decideCheck({ exit, checks, setup: repo.config.setup, output });
}

function workItemOf({ source }: CheckInput): string | null {
  if (source.kind === 'head') return source.workItem;
  return source.kind === 'plan' ? source.plan.entry.workItem : null;
}

const workflowOf = (input: CheckInput): string => checkWorkflowId(input.repo, input.tree, input.configHash);

function errorOf(result: CheckRunResult): string | null {
  if (result.kind === 'green') return null;
  return result.kind === 'fault' ? result.reason : `${result.failed.name} is red`;
}
