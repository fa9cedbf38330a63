/** Everything a run needs before its supervisor is started; safe to repeat until it is. */
import { rm } from 'node:fs/promises';
import type { AgentProfile, RunOutcome } from '../../domain/agents/types.js';
import { promptText } from '../../domain/agents/prompt.js';
import type { ConflictFlag, Obstacle } from '../../domain/conflicts/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { taskName } from '../../domain/tasks.js';
import { findProfile } from '../../store/agent-profiles.js';
import { lastRunStart, type RunStart } from '../../store/run-keys.js';
import { getTask, type Task } from '../../store/tasks.js';
import { flagOf } from '../../store/conflicts.js';
import type { RunAgentInput } from '../../workflows/activities.js';
import { bundleBase } from '../git/clone.js';
import { baseEnvironment, type AgentHost } from './host.js';
import { makeDirectory } from './plain-file.js';
import { markedRuns } from './processes.js';
import { runFiles, writeWhole, type SupervisedSpec } from './records.js';
import { killTree } from './supervisor.js';
import { ensureClone, writeCloneNote, type CloneWanted } from './task-clone.js';

export type Prepared =
  { kind: 'ready'; spec: SupervisedSpec; profile: AgentProfile } | { kind: 'impossible'; outcome: RunOutcome };

/** Gives the spec of the run, with its clone, bundle and prompt in place. */
export async function prepareRun(host: AgentHost, repo: Repo, input: RunAgentInput, fence: number): Promise<Prepared> {
  const { run } = input;
  const profile = await findProfile(host.pool, run.agent);
  if (profile === null) {
    const reason = `there is no agent profile ${run.agent} and none called default: signalbox agent-profile set ${run.agent} -- CMD`;
    return { kind: 'impossible', outcome: { kind: 'fault', failureClass: 'profile-missing', reason, summary: null } };
  }
  const task = await getTask(host.pool, run.repo, run.workItem);
  if (task === null) throw new SignalboxError('not-found', `there is no task ${taskName(run.repo, run.workItem)}`);
  await endOtherRuns(host, input);
  const files = runFiles(host.paths.run(run.runId));
  makeDirectory(host.paths.run(run.runId));
  makeDirectory(files.agentDir);
  const last = await lastRunStart(host.pool, { ...run, host: input.host });
  const wanted = {
    ...{ workItem: run.workItem, generation: run.generation, branch: input.branch, head: input.head, last },
    stack: stackOf(task, input),
  };
  const note = await ensureClone(host, repo, wanted);
  // Also what a git that was killed left there, else it would stop every later try.
  for (const name of [files.bundle, `${files.bundle}.lock`]) await rm(name, { recursive: true, force: true });
  const bundle = await bundleBase(host.git, repo, files.bundle, note.base);
  const flag = await flagOf(host.pool, run.repo, run.workItem);
  writeWhole(files.prompt, promptText({ ...promptInput(task, input), predicted: predictedFor(input, flag) }));
  const env = agentEnvironment(host, input, profile, bundle.base);
  const spec: SupervisedSpec = {
    runId: run.runId,
    attempt: run.attempt,
    fence,
    cwd: host.paths.clone(run.repo, run.workItem),
    git: {
      bundle: bundle.ref === null ? null : { file: files.bundle, ref: bundle.ref },
      base: input.base,
      baseOid: bundle.base,
      branch: input.branch,
      start: note.head,
      leftovers: leftovers(input),
    },
    setup: note.setUp ? null : setupSpec(host, repo, env.shared),
    commands: [
      {
        name: 'agent',
        command: profile.command,
        env: env.agent,
        wallMs: profile.limits.wallMs,
        stallMs: profile.limits.stallMs,
      },
    ],
    output: { bytes: profile.limits.outputBytes, streams: 'split' },
    result: true,
  };
  return { kind: 'ready', spec, profile };
}

/** Two agents never share a clone: whatever still runs there, of a run that was given up, ends first. */
async function endOtherRuns(host: AgentHost, { run }: RunAgentInput): Promise<void> {
  for (const other of markedRuns(host.paths.runs)) {
    const here = other.startsWith(`${run.repo}.${run.workItem}.g`) && other !== run.runId;
    if (here) await killTree(host.paths.run(other));
  }
}

/** Nothing to mend for whoever may not commit, and nothing new after the conflict itself. */
const predictedFor = ({ stage, feedback }: RunAgentInput, flag: ConflictFlag | null): Obstacle[] =>
  stage.commits === 'forbidden' || feedback.some(({ kind }) => kind === 'conflict') ? [] : (flag?.against ?? []);

/** The work of another task that the branch begins with. */
function stackOf(task: Task, { stackBase }: RunAgentInput): CloneWanted['stack'] {
  const on = task.dependsOn.find((d) => d.stack);
  return stackBase == null || on === undefined ? null : { workItem: on.workItem, commit: stackBase };
}

const promptInput = (task: Task, input: RunAgentInput) => ({
  task: taskName(task.repo, task.workItem),
  title: task.title,
  description: task.description,
  stage: input.stage.name,
  prompt: input.overrides.prompt ?? input.stage.prompt,
  artifact: input.stage.artifact?.replaceAll('{workItem}', task.workItem) ?? null,
  branch: input.branch,
  base: input.base,
  commits: input.stage.commits,
  feedback: input.feedback,
});

function agentEnvironment(
  host: AgentHost,
  input: RunAgentInput,
  profile: AgentProfile,
  baseOid: string,
): { agent: Record<string, string>; shared: Record<string, string> } {
  const { run, overrides } = input;
  const files = runFiles(host.paths.run(run.runId));
  const model = overrides.model ?? profile.model;
  const effort = overrides.effort ?? profile.effort;
  const ours = {
    SIGNALBOX_REPO: run.repo,
    SIGNALBOX_TASK: taskName(run.repo, run.workItem),
    SIGNALBOX_STAGE: run.stage,
    SIGNALBOX_ATTEMPT: String(run.attempt),
    SIGNALBOX_RUN: run.runId,
    SIGNALBOX_BRANCH: input.branch,
    SIGNALBOX_BASE: input.base,
    SIGNALBOX_BASE_OID: baseOid,
  };
  const shared = { ...baseEnvironment(host.lookup), ...ours };
  const agent = {
    ...baseEnvironment(host.lookup),
    ...profile.env,
    ...ours,
    SIGNALBOX_PROMPT_FILE: files.prompt,
    SIGNALBOX_RESULT_FILE: files.agentResult,
    ...(model === null ? {} : { SIGNALBOX_MODEL: model }),
    ...(effort === null ? {} : { SIGNALBOX_EFFORT: effort }),
  };
  return { agent, shared };
}

const setupSpec = (host: AgentHost, repo: Repo, env: Record<string, string>): SupervisedSpec['setup'] => {
  const { setup } = repo.config;
  if (setup === null) return null;
  const { command, timeout, cache, cacheKey } = setup;
  return { command, env, timeoutMs: timeout, cache, cacheKey, cacheDir: host.paths.setupCache(repo.id) };
};

const leftovers = ({ stage, run }: RunAgentInput): NonNullable<SupervisedSpec['git']>['leftovers'] =>
  stage.commits === 'forbidden'
    ? null
    : { message: `Keep what ${run.stage} left uncommitted`, name: 'Signalbox agent', email: 'agent@localhost' };

/** Notes where the clone is now: at the head the remote has, with base as it was given. */
export async function noteClone(host: AgentHost, input: RunAgentInput, facts: RunStart, now: NoteNow): Promise<void> {
  const note = { generation: input.run.generation, base: facts.base, head: now.head ?? facts.start };
  await writeCloneNote(host, input.run.repo, input.run.workItem, { ...note, setUp: facts.setUp || now.setUp });
}

/** Where a run with this spec begins, to be remembered before it is started; null for one without a clone. */
export const factsOf = ({ git, setup }: SupervisedSpec): RunStart | null =>
  git === null ? null : { start: git.start, base: git.baseOid, setUp: setup === null };

interface NoteNow {
  head: string | null;
  setUp: boolean;
}
