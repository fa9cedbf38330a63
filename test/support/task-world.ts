/** A world of small in-memory activities for the workflow `task`: scripted runs, a queue and checks that answer. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { RunOutcome, RunReport } from '../../domain/agents/types.js';
import type { Verdict } from '../../domain/checks/types.js';
import type { EntryChange, MergeOutcome } from '../../domain/merge-queue/types.js';
import { DEFAULT_PIPELINE } from '../../domain/pipeline/default.js';
import type { DependencyNow } from '../../domain/pipeline/dependencies.js';
import type { TaskInput } from '../../domain/pipeline/input.js';
import type { Decision, TaskMirror } from '../../domain/tasks.js';
import type {
  AgentActivities,
  CheckRequest,
  GitActivities,
  RecordActivities,
  RunAgentInput,
} from '../../workflows/activities.js';
import { hostQueue, taskWorkflowId } from '../../workflows/ids.js';
import * as messages from '../../workflows/messages.js';
import { SignalboxRepo, SignalboxStage } from '../../workflows/search-attributes.js';
import type { task } from '../../workflows/task.js';
import { eventually } from './net.js';

/** For bookkeeping whose result is of no interest. */
const done = (...results: unknown[]): Promise<void> => Promise.resolve(results).then(() => undefined);

export const HOST = 'h1';
export const sha = (n: number): string => n.toString(16).padStart(40, '0');
export const passed: RunOutcome = { kind: 'passed', summary: null };

/** What a run comes to; a run that `hangs` ends only by stopRun. */
export type Script = (input: RunAgentInput, world: TaskWorld) => RunOutcome | 'hangs';

type TaskRecords = Pick<
  RecordActivities,
  | 'dependencies'
  | 'mirrorTask'
  | 'requestRun'
  | 'dropRun'
  | 'recordDecision'
  | 'requestCheck'
  | 'enqueueLanding'
  | 'changeLanding'
  | 'withdrawLanding'
>;
type TaskGit = Pick<GitActivities, 'stopRun' | 'cleanUpTask'>;

export class TaskWorld {
  script: Script = () => passed;
  onEnqueue: (tryNumber: number) => MergeOutcome | 'later' = () => this.landed();
  onCheck: (request: CheckRequest) => Verdict['verdict'] | 'later' = () => 'green';
  /** Slots are refused until told otherwise. */
  full = false;
  failing: keyof TaskRecords | null = null;
  head = 0;
  /** The tasks that come first. */
  others: DependencyNow[] = [];
  readonly runs: RunAgentInput[] = [];
  readonly mirrors: TaskMirror[] = [];
  readonly decisions: Decision[] = [];
  readonly entries: string[] = [];
  readonly dropped: string[] = [];
  readonly cleaned: string[] = [];
  readonly withdrawn: string[] = [];
  readonly changes: { entry: string; change: EntryChange }[] = [];
  private readonly stopped = new Set<string>();

  landed(): MergeOutcome {
    const proof = { commit: sha(900), tree: sha(901), base: sha(902), plan: 'p1', at: '2026-11-21T00:00:00Z' };
    const of = { entry: 'e1', task: 'r/ET-001', generation: 1, head: sha(this.head), verdict: 'green' as const };
    return { kind: 'landed', landing: { ...proof, ...of } };
  }

  verdict(kind: Verdict['verdict']): Verdict {
    const failed = { name: 'unit', command: ['npm', 'test'], exitCode: 1, tail: 'expected 1 to be 2' };
    const at = '2026-11-21T00:00:00Z';
    const key = { key: 'r/t/c', repo: 'r', tree: 't', configHash: 'c' };
    return { ...key, verdict: kind, failed: kind === 'red' ? failed : null, flaky: false, reason: null, at };
  }

  readonly records: TaskRecords = {
    dependencies: async (_r, _w, mirror) => {
      await this.saw(mirror);
      return this.others;
    },
    mirrorTask: (mirror) => this.saw(mirror),
    requestRun: async (_, mirror) => {
      await this.saw(mirror);
      if (this.failing === 'requestRun') throw ApplicationFailure.nonRetryable('no such column', 'internal');
      return this.full ? { granted: false, ahead: 2, reason: 'all slots are taken' } : { granted: true, host: HOST };
    },
    dropRun: (runId) => done(this.dropped.push(runId)),
    recordDecision: async (_r, _w, _g, decision, intent, mirror) => {
      this.decisions.push(decision);
      await this.saw(mirror);
      return intent === null ? { ...decision, by: 'ann@desk' } : decision;
    },
    requestCheck: async (request) => {
      if (request.mirror) await this.saw(request.mirror);
      const kind = this.onCheck(request);
      if (kind === 'later') return { kind: 'pending', key: 'r/t/c', workflowId: 'check/r/t/c' };
      return { kind: 'verdict', verdict: this.verdict(kind) };
    },
    enqueueLanding: async (request, mirror) => {
      await this.saw(mirror);
      if (!this.entries.includes(request.entry)) this.entries.push(request.entry);
      const outcome = this.onEnqueue(request.try);
      return { settled: outcome === 'later' ? null : outcome, position: 1 };
    },
    changeLanding: (_r, _b, entry, change) => done(this.changes.push({ entry, change })),
    withdrawLanding: (_r, _b, entry) => done(this.withdrawn.push(entry)),
  };

  readonly git: TaskGit = {
    stopRun: (runId) => done(this.stopped.add(runId)),
    cleanUpTask: (_, workItem) => done(this.cleaned.push(workItem)),
  };

  readonly agent: AgentActivities = {
    runAgent: async (input) => {
      this.runs.push(input);
      await this.saw(input.mirror);
      const outcome = this.script(input, this);
      if (outcome === 'hangs') {
        for (;;) {
          if (this.stopped.has(input.run.runId)) return this.report(input, { kind: 'stopped', reason: 'told to' });
          Context.current().heartbeat();
          await Context.current().sleep(20);
        }
      }
      if (input.stage.commits !== 'forbidden') this.head += 1;
      return this.report(input, outcome);
    },
  };

  private report(input: RunAgentInput, outcome: RunOutcome): RunReport {
    const artifacts = Object.fromEntries(input.artifacts.map((path) => [path, sha(500)]));
    return { runId: input.run.runId, outcome, head: sha(this.head), commits: 1, notes: [], artifacts };
  }

  private saw(mirror: TaskMirror): Promise<void> {
    return done(this.mirrors.push(mirror));
  }

  get last(): TaskMirror {
    const mirror = this.mirrors.reduce((a, b) => (b.seq > a.seq || a.runId !== b.runId ? b : a));
    return mirror;
  }
}

let bundle: Promise<{ code: string }> | null = null;
export function workflowBundle(): Promise<{ code: string }> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  return bundle;
}

/** Workers on the control, git and agent queues of one host. */
export async function serve(address: string, queuePrefix: string, world: TaskWorld): Promise<() => Promise<void>> {
  const connection = await NativeConnection.connect({ address });
  const workflowBundleCode = await workflowBundle();
  const common = { connection, namespace: 'default' };
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: queuePrefix,
      workflowBundle: workflowBundleCode,
      activities: world.records,
      disablePayloadErrorLimit: true, // as in worker/worker.ts
    }),
    Worker.create({ ...common, taskQueue: hostQueue(queuePrefix, HOST, 'git'), activities: world.git }),
    Worker.create({ ...common, taskQueue: hostQueue(queuePrefix, HOST, 'agent'), activities: world.agent }),
  ]);
  const running = workers.map((worker) => worker.run());
  return async () => {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await connection.close();
  };
}

export function taskInput(queuePrefix: string, more: Partial<TaskInput> = {}): TaskInput {
  return {
    repo: `r-${randomBytes(4).toString('hex')}`,
    workItem: 'ET-001',
    generation: 1,
    title: 'Say hello',
    base: 'main',
    branch: 'signalbox/ET-001',
    priority: 'normal',
    pipeline: DEFAULT_PIPELINE,
    maxAttempts: null,
    settings: {
      backoffBaseMs: 100,
      backoffMaxMs: 400,
      maxAttempts: 2,
      grantRetryMs: 60_000,
      checkRetryMs: 60_000,
      mergeRetellMs: 60_000,
      stopPatienceMs: 60_000,
    },
    queuePrefix,
    head: null,
    counters: { faults: 0, transient: 0, followUps: 0, humanWaits: 0 },
    humanSeconds: 0,
    startAt: null,
    checksExist: true,
    carried: null,
    ...more,
  };
}

export type TaskHandle = WorkflowHandle<typeof task>;

export async function startTask(client: Client, input: TaskInput): Promise<TaskHandle> {
  return client.workflow.start<typeof task>('task', {
    workflowId: taskWorkflowId(input.repo, input.workItem),
    taskQueue: input.queuePrefix,
    args: [input],
    staticSummary: input.title,
    typedSearchAttributes: [
      { key: SignalboxRepo, value: input.repo },
      { key: SignalboxStage, value: 'created' },
    ],
  });
}

/** Waits until the task waits for that kind; gives its status. */
export function until(handle: TaskHandle, kind: string, stage?: string): Promise<messages.TaskStatus> {
  const what = `wait ${kind}${stage === undefined ? '' : ` in ${stage}`} of ${handle.workflowId}`;
  return eventually(
    async () => {
      const now = await handle.query(messages.status);
      return now.waitingOn?.kind === kind && (stage === undefined || now.stage === stage) ? now : null;
    },
    { what },
  );
}

export function quiet(): void {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
}
