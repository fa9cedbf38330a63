/** What lies outside of the two workflows: remote, rows and checks in memory, and workers that offer them. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';
import type { CheckRunResult, Verdict } from '../../../domain/checks/types.js';
import type { QueueTimes } from '../../../domain/merge-queue/state.js';
import type {
  EnqueueRequest,
  FenceResult,
  Gate,
  Landing,
  LandingPlan,
  MergeOutcome,
  PrepareResult,
  PublishResult,
  QueueBlock,
} from '../../../domain/merge-queue/types.js';
import type { Priority } from '../../../domain/tasks.js';
import type { StatusReading } from '../../../domain/forges.js';
import type {
  CheckInput,
  CheckRequest,
  ExternalLook,
  MergeQueueInput,
  QueueRecord,
} from '../../../workflows/activities.js';
import { hostQueue, mergeQueueWorkflowId, taskWorkflowId } from '../../../workflows/ids.js';
import { enqueue, gateChanged } from '../../../workflows/messages.js';
import type { connectTemporal } from '../../support/temporal.js';
import type { listener } from './workflows.js';

type Temporal = Awaited<ReturnType<typeof connectTemporal>>;
const GREEN: CheckRunResult = { kind: 'green', seconds: 1 };

Runtime.install({ logger: new DefaultLogger('ERROR') });

let bundle: Promise<WorkflowBundle> | null = null;

export class Outside {
  readonly temporal: Temporal;
  readonly repo = `r${randomBytes(4).toString('hex')}`;
  readonly workflowId = mergeQueueWorkflowId(this.repo, 'main');
  base: { id: string; entry: string | null; red: boolean }[] = [{ id: 'root', entry: null, red: false }];
  landed: { entry: string; from: number; to: number }[] = [];
  conflicts = new Set<string>();
  reds = new Set<string>();
  /** Checks that stay pending until the test tells. */
  held = new Set<string>();
  /** What to do instead of the push, once each: `before` or `after` it the activity dies. */
  deaths: ('before' | 'after')[] = [];
  fences: string[] = [];
  gates: Gate[] = [];
  /** What the rows say may land while base is frozen. */
  fixes = new Set<string>();
  rows = new Map<string, MergeOutcome>();
  records: QueueRecord[] = [];
  predictions = 0;
  verdicts: Verdict[] = [];
  /** Answers of runCheck, in turn; then green. */
  checkRuns: CheckRunResult[] = [];
  runsSeen: number[] = [];
  /** Checks run until they are stopped. */
  hanging = false;
  private hung: (() => void)[] = [];
  /** Ids of the executions that were stopped, and of the workflows whose checks were given up. */
  stopped: string[] = [];
  dropped: string[] = [];
  /** What the forge says, in turn; the last for ever. An error = it cannot be asked. */
  readings: (StatusReading | Error)[] = [];
  looks = 0;
  /** Workflow ids whose check ref is on the remote. */
  checkRefs = new Set<string>();
  /** Instead of the rows in memory. */
  private readonly rowsOf: Record<string, (...args: never[]) => Promise<unknown>>;
  strategy: LandingPlan['strategy'] = 'merge';
  /** What stands in the way of a push. */
  pushRefused: QueueBlock | null = null;
  private workers: { worker: Worker; done: Promise<void> }[] = [];
  private connection: NativeConnection | null = null;

  constructor(temporal: Temporal, rowsOf: Outside['rowsOf'] = {}) {
    this.temporal = temporal;
    this.rowsOf = rowsOf;
  }

  async start(): Promise<void> {
    const { address, queuePrefix: prefix } = this.temporal;
    bundle ??= bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
      logger: new DefaultLogger('ERROR'),
    });
    const workflowBundle = await bundle;
    const connection = (this.connection = await NativeConnection.connect({ address }));
    const all = [
      { taskQueue: prefix, workflowBundle, activities: { ...this.recordActivities(), ...this.rowsOf } },
      { taskQueue: hostQueue(prefix, 'a', 'git'), activities: this.gitActivities() },
      { taskQueue: hostQueue(prefix, 'a', 'check'), activities: { runCheck: this.runCheck.bind(this) } },
    ];
    for (const options of all) {
      const worker = await Worker.create({ connection, namespace: 'default', ...options });
      this.workers.push({ worker, done: worker.run() });
    }
  }

  async stop(): Promise<void> {
    for (const { worker } of this.workers) worker.shutdown();
    await Promise.all(this.workers.map((w) => w.done));
    await this.connection?.close();
  }

  request(n: number, priority: Priority = 'normal', nth = 1): EnqueueRequest {
    const workItem = `ET-${String(n).padStart(3, '0')}`;
    const task = `${this.repo}/${workItem}`;
    const workflowId = taskWorkflowId(this.repo, workItem);
    const identity = { repo: this.repo, base: 'main', task, workItem, generation: 1, head: `h${n}`, try: nth };
    return { ...identity, entry: `e${n}`, workflowId, title: `T${n}`, priority, enqueuedAt: '2026-01-01T00:00:00Z' };
  }

  /** Starts a workflow that stands for the task; its result is what it was told. */
  listen(workflowId: string): Promise<WorkflowHandle<typeof listener>> {
    const taskQueue = this.temporal.queuePrefix;
    return this.temporal.client.workflow.start<typeof listener>('listener', { workflowId, taskQueue });
  }

  async enqueue(
    request: EnqueueRequest,
    settledPerRun: number | null = null,
    settings: QueueTimes = { mergeLease: 60_000, hostStale: 30_000, backoffBase: 100, backoffMax: 500 },
  ): Promise<WorkflowHandle<typeof listener>> {
    const handle = await this.listen(request.workflowId);
    const { queuePrefix } = this.temporal;
    const input: MergeQueueInput = {
      ...{ repo: this.repo, base: 'main', queuePrefix, settings, state: null, settledPerRun },
    };
    await this.temporal.client.workflow.signalWithStart('mergeQueue', {
      workflowId: this.workflowId,
      taskQueue: queuePrefix,
      args: [input],
      signal: enqueue,
      signalArgs: [request],
    });
    return handle;
  }

  queue(): WorkflowHandle {
    return this.temporal.client.workflow.getHandle(this.workflowId);
  }

  async gate(kind: Gate['kind'] | null): Promise<void> {
    const by = { scope: 'all', base: null, reason: 'because', by: 'ada', since: '' } as const;
    this.gates = kind === null ? [] : [{ id: 1, repo: this.repo, kind, ...by }];
    await this.queue().signal(gateChanged, { id: randomBytes(4).toString('hex'), acceptTip: null });
  }

  verdict(tree: string, red: boolean): Verdict {
    const failed = red ? { name: 'unit', command: ['npm', 'test'], exitCode: 1, tail: 'not ok' } : null;
    const [verdict, configHash] = [red ? 'red' : 'green', 'cfg'] as const;
    const key = `${this.repo}/${tree}/cfg`;
    return { key, repo: this.repo, tree, configHash, verdict, failed, flaky: false, reason: null, at: '' };
  }

  private top(): { id: string; red: boolean } {
    return this.base.at(-1) ?? { id: 'none', red: false };
  }

  private recordActivities(): Record<string, (...args: never[]) => Promise<unknown>> {
    return {
      liveHost: () => Promise.resolve({ host: 'a' }),
      readGates: () => Promise.resolve(this.gates),
      recordQueue: (update: QueueRecord) => {
        this.records.push(update);
        for (const { identity, outcome } of update.settled) this.rows.set(identity.entry, outcome);
        return Promise.resolve();
      },
      dropCheck: (workflowId: string) => {
        this.dropped.push(workflowId);
        return Promise.resolve();
      },
      recordVerdict: (verdict: Verdict) => {
        this.verdicts.push(verdict);
        return Promise.resolve(verdict);
      },
      requestCheck: ({ source }: CheckRequest) => {
        if (source.kind === 'base') {
          const red = this.base.find((b) => b.id === source.commit)?.red === true;
          return Promise.resolve({ kind: 'verdict', verdict: this.verdict(`t-${source.commit}`, red) });
        }
        if (source.kind !== 'plan') throw new Error('the queue checks plans and bases');
        const { entry, tree, baseOid } = { ...source.plan, entry: source.plan.entry.entry };
        const baseRed = this.base.find((b) => b.id === baseOid)?.red === true;
        const verdict = this.verdict(tree, this.reds.has(entry) || baseRed);
        return Promise.resolve(
          this.held.has(entry) ? { kind: 'pending', key: verdict.key, workflowId: 'w' } : { kind: 'verdict', verdict },
        );
      },
    };
  }

  private landing(plan: LandingPlan): Landing {
    const { entry, task, generation, head } = plan.entry;
    const { commit, tree, baseOid: base, plan: id } = plan;
    return {
      entry,
      task,
      generation,
      head,
      verdict: 'green',
      commit,
      tree,
      base,
      plan: id,
      at: '2026-01-01T00:00:00.000Z',
    };
  }

  private gitActivities(): Record<string, (...args: never[]) => Promise<unknown>> {
    return {
      prepareLanding: (r: EnqueueRequest): Promise<PrepareResult> => {
        const { id } = this.top();
        const commit = `${r.entry}-on-${id}`.slice(0, 60);
        const plan = {
          ...{ plan: `p-${commit}`, strategy: this.strategy, baseOid: id, lastTip: id, message: r.title },
        };
        const rest = { entry: r, attributes: null, timestamp: 1, commit, tree: `t-${commit}` };
        if (!this.conflicts.has(r.entry)) return Promise.resolve({ kind: 'planned', plan: { ...plan, ...rest } });
        return Promise.resolve({ kind: 'conflict', conflict: { paths: ['a.txt'], hunks: '<<<' }, baseOid: id });
      },
      publishLanding: async (plan: LandingPlan): Promise<PublishResult> => {
        const from = Date.now();
        Context.current().heartbeat();
        const fix = this.fixes.has(plan.entry.entry);
        if (this.gates.some((gate) => gate.kind === 'pause' || (gate.kind === 'freeze' && !fix)))
          return { kind: 'gated', reason: 'paused' };
        if (this.pushRefused !== null) return { kind: 'blocked', block: this.pushRefused };
        const death = this.deaths.shift();
        if (death === 'before') throw ApplicationFailure.create({ message: 'the worker died', nonRetryable: true });
        if (this.top().id !== plan.baseOid) return { kind: 'stale', reason: 'base moved' };
        await new Promise((resolve) => setTimeout(resolve, 5));
        this.base.push({ id: plan.commit, entry: plan.entry.entry, red: this.top().red });
        this.landed.push({ entry: plan.entry.entry, from, to: Date.now() });
        if (death === 'after') throw ApplicationFailure.create({ message: 'the worker died', nonRetryable: true });
        return { kind: 'landed', landing: this.landing(plan) };
      },
      stopRun: (runId: string) => {
        this.stopped.push(runId);
        for (const end of this.hung.splice(0)) end();
        return Promise.resolve();
      },
      putExternalCheck: ({ key, source }: CheckInput) => {
        this.checkRefs.add(key);
        return Promise.resolve({ kind: 'put', commit: source.kind === 'plan' ? source.plan.commit : source.commit });
      },
      readExternalCheck: (): Promise<ExternalLook> => {
        this.looks += 1;
        const next = (this.readings.length > 1 ? this.readings.shift() : this.readings[0]) ?? { state: 'absent' };
        if (!(next instanceof Error)) return Promise.resolve({ kind: 'read', reading: next });
        throw ApplicationFailure.create({ message: next.message, nonRetryable: true });
      },
      dropExternalChecks: ({ key }: CheckInput) => {
        this.checkRefs.delete(key);
        return Promise.resolve();
      },
      predictConflicts: () => {
        this.predictions += 1;
        return Promise.resolve({ baseOid: this.top().id, report: null });
      },
      fenceLanding: (_repo: string, _base: string, plan: LandingPlan | null): Promise<FenceResult> => {
        this.fences.push(plan?.entry.entry ?? '');
        const there = plan && this.base.some((b) => b.id === plan.commit);
        return Promise.resolve(
          there ? { kind: 'landed', landing: this.landing(plan) } : { kind: 'not-landed', tip: 'n' },
        );
      },
    };
  }

  private runCheck(_input: CheckInput, attempt: number): Promise<CheckRunResult> {
    this.runsSeen.push(attempt);
    if (this.hanging) {
      return new Promise((resolve) => this.hung.push(() => resolve({ kind: 'fault', reason: 'stopped' })));
    }
    return Promise.resolve(this.checkRuns.shift() ?? GREEN);
  }
}
