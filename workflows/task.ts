/**
 * The workflow of one generation of a task: `task/<repo>/<work item>`. Messages and completions become events for
 * domain/pipeline; its commands are carried out here, un-awaited, and come back as events, so a cancel or a redo is
 * taken at once whatever runs. One timer stands at the earliest deadline. Nothing is decided here.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { TaskCommand } from '../domain/pipeline/commands.js';
import type { TaskEvent } from '../domain/pipeline/events.js';
import { COMMAND_LINE } from '../domain/pipeline/actor.js';
import { details, explain as explainTask, timerSummary } from '../domain/pipeline/explain.js';
import type { TaskInput } from '../domain/pipeline/input.js';
import { deadline, initialState, reduce } from '../domain/pipeline/reduce.js';
import type { TaskState } from '../domain/pipeline/state.js';
import type { TaskContext } from '../domain/pipeline/turn.js';
import { picture } from '../domain/pipeline/waiting.js';
import { taskName, type TaskMirror } from '../domain/tasks.js';
import { reasonOf } from './failures.js';
import { entryId, mergeQueueWorkflowId, runId, taskWorkflowId } from './ids.js';
import * as messages from './messages.js';
import { SignalboxStage, SignalboxWaitingOn } from './search-attributes.js';
import { carryOut } from './task-commands.js';
import { listenToPeople } from './task-updates.js';
import { hear } from './signals.js';

export async function task(input: TaskInput): Promise<{ state: string }> {
  const run = new TaskRun(input);
  run.listen();
  if (input.carried === null) run.dispatch({ type: 'begin' });
  // A cancellation request of Temporal is a person's cancel: the task ends in order, so nothing of it is cancelled.
  CancellationScope.current().cancelRequested.catch(() => run.cancelledByTemporal());
  await CancellationScope.nonCancellable(() => run.live());
  return { state: picture(run.ctx, run.state).state };
}

/** The shell around the state: everything here is wiring. Lives for one workflow run. */
class TaskRun {
  readonly ctx: TaskContext;
  state: TaskState;
  private readonly commands: TaskCommand[] = [];
  /** What is being carried out. */
  private readonly inFlight = new Map<CancellationScope, TaskCommand>();
  /** Order of the pictures that this workflow run sends. */
  private seq = 0;
  private timer: { due: number; scope: CancellationScope } | null = null;
  private shown = '';

  constructor(input: TaskInput) {
    this.ctx = { input, ids: idsOf(input) };
    // A state carried over from an earlier version may lack what came since.
    this.state = { ...initialState(input, Date.now()), ...input.carried };
  }

  /** Applies an event; its commands wait for the loop. */
  readonly dispatch = (event: TaskEvent): void => {
    const decided = reduce(this.ctx, this.state, event, Date.now());
    this.state = decided.state;
    this.commands.push(...decided.commands);
  };

  listen(): void {
    listenToPeople(this.ctx, () => this.state, this.dispatch);
    hear(messages.changed, (change) => this.dispatch({ type: 'changed', change }));
    hear(messages.runGranted, (m) => this.dispatch({ type: 'granted', runId: m.runId, host: m.host }));
    hear(messages.hostChanged, (m) => this.dispatch({ type: 'hostChanged', runId: m.runId, away: m.away }));
    hear(messages.dependencySettled, (m) => this.dispatch({ type: 'dependencySettled', task: m.id }));
    hear(messages.checkSettled, (m) => this.dispatch({ type: 'checkSettled', key: m.id, verdict: m.verdict }));
    hear(messages.mergeSettled, (m) => this.dispatch({ type: 'mergeSettled', entry: m.id, outcome: m.outcome }));
    setHandler(messages.status, () => {
      const { state, stage, head, agentRunning, waitingOn, counters } = picture(this.ctx, this.state);
      const { repo, workItem, generation } = this.ctx.input;
      return { task: taskName(repo, workItem), state, stage, head, agentRunning, waitingOn, counters, generation };
    });
    setHandler(messages.explain, () => ({ chain: explainTask(this.ctx, this.state) }));
  }

  cancelledByTemporal(): void {
    if (this.state.landed !== null) return;
    this.dispatch({ type: 'cancelled', reason: 'cancelled in Temporal', by: COMMAND_LINE, intent: null });
  }

  async live(): Promise<void> {
    for (;;) {
      const todo = this.commands.splice(0);
      for (const command of todo) this.start(command);
      if (this.over()) this.letGo();
      else this.forgetDropped(todo);
      this.show();
      this.armTimer();
      if (this.idle() && this.over()) break;
      if (this.mayCarryOver()) {
        this.timer?.scope.cancel();
        await continueAsNew<typeof task>({ ...this.ctx.input, carried: this.state });
      }
      const before = this.state;
      await condition(
        () => this.commands.length > 0 || this.state !== before || this.mayCarryOver() || (this.over() && this.idle()),
      );
    }
    this.timer?.scope.cancel();
    await condition(allHandlersFinished);
  }

  private over(): boolean {
    return this.state.phase.kind === 'ended';
  }

  /** Only between things: an activity in flight belongs to this workflow run. */
  private mayCarryOver(): boolean {
    return this.idle() && !this.over() && workflowInfo().continueAsNewSuggested && allHandlersFinished();
  }

  private idle(): boolean {
    return this.inFlight.size === 0 && this.commands.length === 0;
  }

  /** Runs beside the loop; whatever comes of it is an event. */
  private start(command: TaskCommand): void {
    if (WAITS_FOR_A_HOST.includes(command.type) && this.isInFlight(command)) return;
    const scope = new CancellationScope({ cancellable: true });
    this.inFlight.set(scope, command);
    void scope.run(async () => this.see(command)).finally(() => this.inFlight.delete(scope));
  }

  private async see(command: TaskCommand): Promise<void> {
    try {
      const event = await carryOut(this.ctx, command, this.mirror());
      if (event !== null) this.dispatch(event);
    } catch (err) {
      if (isCancellation(err)) return;
      const message = reasonOf(err);
      log.error('a command failed', { command: command.type, message });
      this.dispatch({ type: 'commandFailed', id: subject(command), what: command.type, message });
    }
  }

  private isInFlight(command: TaskCommand): boolean {
    const what = JSON.stringify(command);
    return [...this.inFlight.values()].some((other) => JSON.stringify(other) === what);
  }

  /** A task that is over waits for no host: what it left there is ended by the host's janitor. */
  private letGo(): void {
    for (const [scope, command] of this.inFlight) {
      if (WAITS_FOR_A_HOST.includes(command.type)) scope.cancel();
    }
  }

  /** A run that was given up with its host is not waited for, whatever becomes of it. */
  private forgetDropped(todo: readonly TaskCommand[]): void {
    const dropped = todo.flatMap((command) => (command.type === 'dropRun' ? [command.runId] : []));
    for (const [scope, command] of this.inFlight) {
      if (command.type === 'runAgent' && dropped.includes(command.run.runId)) scope.cancel();
      if (command.type === 'stopRun' && dropped.includes(command.runId)) scope.cancel();
    }
  }

  private mirror(): TaskMirror {
    const { repo, workItem, generation } = this.ctx.input;
    this.seq += 1;
    return { repo, workItem, generation, runId: workflowInfo().runId, seq: this.seq, ...picture(this.ctx, this.state) };
  }

  /** What the Web UI and search show: details are free, an upsert is made only when stage or wait changed. */
  private show(): void {
    setCurrentDetails(details(this.ctx, this.state));
    const { phase } = this.state;
    // A slot that is being asked for is mostly granted at once.
    if (phase.kind === 'host' && phase.asking) return;
    const { stage, waitingOn } = picture(this.ctx, this.state);
    const kind = waitingOn?.kind ?? 'none';
    if (this.shown === `${stage} ${kind}`) return;
    this.shown = `${stage} ${kind}`;
    upsertSearchAttributes([
      { key: SignalboxStage, value: stage },
      { key: SignalboxWaitingOn, value: waitingOn === null ? null : kind },
    ]);
  }

  /** One timer at the earliest deadline; armed anew only when the deadline moved. */
  private armTimer(): void {
    const due = deadline(this.state);
    if (due === (this.timer?.due ?? null)) return;
    this.timer?.scope.cancel();
    this.timer = null;
    if (due === null) return;
    const scope = new CancellationScope({ cancellable: true });
    this.timer = { due, scope };
    void scope
      .run(async () => {
        await sleep(Math.max(1, due - Date.now()), { summary: timerSummary(this.state.phase) });
        this.timer = null;
        this.dispatch({ type: 'tick' });
      })
      .catch((err: unknown) => {
        if (!isCancellation(err)) throw err;
      });
  }
}

const WAITS_FOR_A_HOST: readonly TaskCommand['type'][] = ['runAgent', 'stopRun'];

/** What a failed command was about, as the reducer knows it. */
function subject(command: TaskCommand): string {
  switch (command.type) {
    case 'requestRun':
    case 'runAgent':
      return command.run.runId;
    case 'askDependencies':
    case 'requestCheck':
      return String(command.ask);
    case 'enqueue':
      return command.request.entry;
    case 'stopRun':
    case 'dropRun':
    case 'changeEntry':
    case 'letGo':
    case 'withdraw':
    case 'recordDecision':
    case 'mirror':
    case 'cleanUp':
      return '';
  }
}

function idsOf(input: TaskInput): TaskContext['ids'] {
  const { repo, base, workItem, generation } = input;
  const name = taskName(repo, workItem);
  return {
    workflow: taskWorkflowId(repo, workItem),
    queue: mergeQueueWorkflowId(repo, base),
    run: (stage, attempt) => runId(repo, workItem, generation, stage, attempt),
    entry: (head, tryNumber) => {
      const identity = { repo, base, task: name, generation, head, try: tryNumber };
      return { ...identity, workItem, entry: entryId(identity) };
    },
  };
}
