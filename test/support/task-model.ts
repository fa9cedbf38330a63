/** A world for the task reducer with a virtual clock and a bus that loses, repeats and reorders. */
import type { RunOutcome } from '../../domain/agents/types.js';
import type { Verdict } from '../../domain/checks/types.js';
import type { MergeOutcome } from '../../domain/merge-queue/types.js';
import type { TaskCommand } from '../../domain/pipeline/commands.js';
import { DEFAULT_PIPELINE } from '../../domain/pipeline/default.js';
import type { DependencyNow } from '../../domain/pipeline/dependencies.js';
import type { TaskEvent } from '../../domain/pipeline/events.js';
import { NO_OVERRIDES, type TaskInput } from '../../domain/pipeline/input.js';
import { permit, type Wish } from '../../domain/pipeline/permit.js';
import { deadline, initialState, reduce } from '../../domain/pipeline/reduce.js';
import type { TaskState } from '../../domain/pipeline/state.js';
import type { TaskContext } from '../../domain/pipeline/turn.js';

export const oid = (n: number): string => n.toString(16).padStart(40, '0');

export function modelContext(more: Partial<TaskInput> = {}): TaskContext {
  const input: TaskInput = {
    ...{ repo: 'web', workItem: 'ET-001', generation: 1, title: 'T', base: 'main', branch: 'b', priority: 'normal' },
    ...{ pipeline: DEFAULT_PIPELINE, maxAttempts: null, queuePrefix: 'q', head: null, humanSeconds: 0, startAt: null },
    settings: {
      ...{ backoffBaseMs: 10_000, backoffMaxMs: 600_000, maxAttempts: 2, grantRetryMs: 60_000, checkRetryMs: 300_000 },
      ...{ mergeRetellMs: 300_000, stopPatienceMs: 60_000 },
    },
    counters: { faults: 0, transient: 0, followUps: 0, humanWaits: 0 },
    ...{ checksExist: true, carried: null },
    ...more,
  };
  const { repo, base, workItem, generation } = input;
  return {
    input,
    ids: {
      workflow: 'task/web/ET-001',
      queue: 'merge-queue/web/main',
      run: (stage, attempt) => `${stage}.${attempt}`,
      entry: (head, n) => ({
        repo,
        base,
        task: 'web/ET-001',
        workItem,
        generation,
        head,
        try: n,
        entry: `e.${head}.${n}`,
      }),
    },
  };
}

export const verdict = (kind: Verdict['verdict'], name = 'unit', key = 'k'): Verdict => ({
  ...{ key, repo: 'web', tree: 't', configHash: 'c', verdict: kind, flaky: false, reason: null, at: 'x' },
  failed: kind === 'red' ? { name, command: ['npm', 'test'], exitCode: 1, tail: 'no' } : null,
});

export const landing = (head: string): MergeOutcome => ({
  kind: 'landed',
  landing: {
    ...{ commit: oid(99), tree: oid(98), base: oid(97), plan: 'p', at: 'x', entry: 'e', task: 'web/ET-001' },
    ...{ generation: 1, head, verdict: 'green' },
  },
});

interface Message {
  event: TaskEvent;
  /** Completions arrive exactly once; signals may be lost or repeated. */
  signal: boolean;
}

/** `pick(n)`: the next choice, from 0 to n - 1. */
export class TaskModel {
  now = Date.parse('2026-11-21T00:00:00Z');
  state: TaskState;
  readonly bus: Message[] = [];
  readonly told: TaskEvent[] = [];
  readonly running = new Set<string>();
  readonly inLine = new Set<string>();
  readonly slots = new Set<string>();
  readonly settled = new Map<string, MergeOutcome>();
  readonly open = new Set<string>();
  private readonly documents = new Map<number, string | null>();
  readonly approvedBlobs = new Map<string, string | null>();
  /** The tasks that come first. */
  others: DependencyNow[];
  landings = 0;
  mostRuns = 0;
  head = 0;
  friendly = false;
  /** What the rows said last of the tasks that come first. */
  answered: DependencyNow[] = [];
  onCommand: (command: TaskCommand) => void = () => undefined;
  onFeed: (event: TaskEvent) => void = () => undefined;
  readonly ctx: TaskContext;
  private readonly pick: (n: number) => number;

  constructor(ctx: TaskContext, pick: (n: number) => number) {
    this.ctx = ctx;
    this.pick = pick;
    this.others = (ctx.input.dependsOn ?? []).map((d) => ({
      ...d,
      state: 'running',
      stage: 'development',
      ready: null,
    }));
    this.state = initialState(ctx.input, this.now);
    this.feed({ type: 'begin' });
  }

  feed(event: TaskEvent): void {
    this.onFeed(event);
    const { state, commands } = reduce(this.ctx, this.state, event, this.now);
    this.state = state;
    if (event.type === 'dependenciesAnswered') this.answered = event.found;
    commands.forEach((command) => {
      this.onCommand(command);
      this.carryOut(command);
    });
  }

  private one<T>(...items: T[]): T {
    return items[this.pick(items.length)] as T;
  }

  private send(event: TaskEvent, signal = false): void {
    this.bus.push({ event, signal });
  }

  private carryOut(command: TaskCommand): void {
    switch (command.type) {
      case 'askDependencies': {
        this.send({ type: 'dependenciesAnswered', ask: command.ask, found: [...this.others] });
        return;
      }
      case 'requestRun': {
        const { runId } = command.run;
        const free = this.friendly || this.pick(2) === 0;
        if (free || this.slots.has(runId)) this.slots.add(runId);
        else this.inLine.add(runId);
        if (this.slots.has(runId)) this.inLine.delete(runId);
        const granted = this.slots.has(runId) ? { host: 'h' } : null;
        this.send({ type: 'requestAnswered', runId, granted, ahead: 1, reason: 'full' });
        return;
      }
      case 'runAgent':
        this.running.add(command.run.runId);
        this.mostRuns = Math.max(this.mostRuns, this.running.size);
        return;
      case 'stopRun':
        if (this.running.has(command.runId)) this.endRun(command.runId, { kind: 'stopped', reason: 'told to' });
        return;
      case 'dropRun':
        this.inLine.delete(command.runId);
        this.slots.delete(command.runId);
        this.running.delete(command.runId);
        return;
      case 'requestCheck': {
        const kind = this.friendly ? 'green' : this.one('green', 'red', 'fault', 'none' as const);
        const result = verdict(kind, this.one('unit', 'lint'), `k${command.ask}`);
        if (this.pick(2) === 0) {
          this.send({ type: 'checkAnswered', ask: command.ask, answer: { kind: 'verdict', verdict: result } });
          return;
        }
        const pending = { kind: 'pending' as const, key: result.key, workflowId: `check/${result.key}` };
        this.send({ type: 'checkAnswered', ask: command.ask, answer: pending });
        this.send({ type: 'checkSettled', key: result.key, verdict: result }, true);
        return;
      }
      case 'enqueue': {
        const { entry } = command.request;
        if (!this.settled.has(entry)) this.open.add(entry);
        const settled = this.settled.get(entry) ?? null;
        this.send({ type: 'enqueueAnswered', entry, settled, position: 1 });
        return;
      }
      case 'withdraw':
        if (this.open.has(command.entry)) this.settle(command.entry, { kind: 'withdrawn', reason: command.reason });
        return;
      case 'changeEntry':
      case 'letGo':
      case 'recordDecision':
      case 'mirror':
      case 'cleanUp':
        return;
    }
  }

  private endRun(runId: string, outcome: RunOutcome): void {
    this.running.delete(runId);
    this.slots.delete(runId);
    if (this.pick(2) === 0) this.head += 1;
    // What is in a commit never changes.
    const fresh = this.friendly ? oid(7) : this.one(oid(7), oid(8), null);
    if (!this.documents.has(this.head)) this.documents.set(this.head, fresh);
    const artifacts = { 'docs/brd/ET-001.md': this.documents.get(this.head) ?? null };
    const report = { runId, outcome, head: oid(this.head), commits: 1, notes: [], artifacts };
    this.send({ type: 'runFinished', runId, report });
  }

  private settle(entry: string, outcome: MergeOutcome): void {
    this.open.delete(entry);
    if (outcome.kind === 'landed') this.landings += 1;
    this.settled.set(entry, outcome);
    this.send({ type: 'mergeSettled', entry, outcome }, true);
  }

  /** One thing happens somewhere. */
  step(): void {
    this.now += this.pick(30) * 1000;
    switch (this.pick(this.friendly ? 4 : 8)) {
      case 0:
      case 5:
        this.deliver();
        return;
      case 1:
        this.work();
        return;
      case 2: {
        const due = deadline(this.state);
        if (due !== null) this.now = Math.max(this.now, due);
        this.feed({ type: 'tick' });
        return;
      }
      case 3:
        this.personSaysYes();
        return;
      case 4:
        this.personChanges();
        return;
      case 6:
        if (this.told.length > 0) this.feed(this.one(...this.told));
        return;
      default:
        this.feed({ type: 'tick' });
    }
  }

  private deliver(): void {
    if (this.bus.length === 0) return;
    const at = this.pick(this.bus.length);
    const [message] = this.bus.splice(at, 1);
    if (message === undefined) return;
    if (message.signal && !this.friendly && this.pick(3) === 0) return; // lost
    if (message.signal) this.told.push(message.event); // and may be told again
    this.feed(message.event);
  }

  /** One of the tasks that come first goes on; what it says of that may be lost. */
  private otherMoves(): void {
    const moved = this.pick(this.others.length);
    const ends = this.friendly ? (['done'] as const) : (['done', 'cancelled', 'failed', 'running'] as const);
    this.others = this.others.map((other, i) => {
      if (i !== moved || other.state === 'done') return other;
      const ready = other.ready === null && this.pick(2) === 0 ? oid(5) : null;
      if (ready !== null) return { ...other, state: 'running', ready };
      return { ...other, state: this.one(...ends), ready: null };
    });
    this.send({ type: 'dependencySettled', task: 'web/ET-003' }, true);
  }

  /** What runs comes on: runs end, the line moves, the queue settles. */
  private work(): void {
    if (this.others.length > 0) this.otherMoves();
    for (const runId of this.inLine) {
      this.inLine.delete(runId);
      this.slots.add(runId);
      this.send({ type: 'granted', runId, host: 'h' }, true);
    }
    for (const runId of this.running) {
      const passed: RunOutcome = { kind: 'passed', summary: null };
      const outcomes: RunOutcome[] = [
        passed,
        { kind: 'failed', summary: 'no' },
        { kind: 'needs-human', question: 'which?', summary: null },
        { kind: 'fault', failureClass: 'exit-code', reason: 'exit 1', summary: null },
        { kind: 'transient', failureClass: 'transient', reason: '429', retryAfterSeconds: this.one(null, 30, 999_999) },
        { kind: 'stopped', reason: 'somebody did' },
      ];
      this.endRun(runId, this.friendly ? passed : this.one(passed, ...outcomes));
    }
    for (const entry of this.open) {
      const head = entry.split('.')[1] ?? '';
      const outcomes: MergeOutcome[] = [
        landing(head),
        { kind: 'contained' },
        { kind: 'conflict', conflict: { paths: ['a'], hunks: '<<<' }, baseOid: oid(1) },
        { kind: 'red', failed: null },
        { kind: 'refused', reason: 'forged' },
        { kind: 'withdrawn', reason: 'by hand' },
      ];
      this.settle(entry, this.friendly ? landing(head) : this.one(...outcomes));
    }
  }

  private may(wish: Wish): boolean {
    return permit(this.ctx, this.state, wish, null, null, this.now).kind === 'yes';
  }

  private personSaysYes(): void {
    const { phase } = this.state;
    if (phase.kind === 'answer') {
      if (this.pick(2) === 0) this.feed({ type: 'retried', intent: null });
      else this.feed({ type: 'answered', text: 'so', intent: null });
    }
    if (phase.kind === 'agent' && this.may({ kind: 'retry' })) this.feed({ type: 'retried', intent: null });
    if (phase.kind === 'approval') this.decide(this.friendly || this.pick(4) > 0 ? 'approved' : 'rejected');
  }

  private decide(which: 'approved' | 'rejected'): void {
    const { phase } = this.state;
    if (phase.kind !== 'approval') return;
    const stage = 'approval';
    const { sha, blob } = phase.artifact;
    if (!this.may({ kind: 'decide', stage, sha })) throw new Error('what is shown must be decidable');
    if (which === 'approved') this.approvedBlobs.set(sha, blob);
    const decision = { stage, sha, verdict: which, by: 'ann', at: 'x', reason: null };
    this.feed({ type: 'decided', decision, intent: null, final: this.pick(8) === 0 });
  }

  /** A host is silent, or is heard of again. */
  private hostChanges(): void {
    const { phase } = this.state;
    if (phase.kind !== 'agent' && phase.kind !== 'stopping') return;
    this.feed({ type: 'hostChanged', runId: phase.runId, away: this.one(null, '2026-11-21T00:00:00Z') });
  }

  private personChanges(): void {
    if (this.pick(4) === 0) this.hostChanges();
    const stages = this.ctx.input.pipeline.stages.map((s) => s.name);
    const stage = this.one(...stages);
    if (this.pick(12) === 0 && this.may({ kind: 'cancel' })) {
      this.feed({ type: 'cancelled', reason: 'enough', by: 'ann', intent: null });
    } else if (this.pick(3) === 0 && this.may({ kind: 'redo', stage })) {
      this.feed({ type: 'redone', stage, overrides: NO_OVERRIDES, intent: null });
    }
  }
}
