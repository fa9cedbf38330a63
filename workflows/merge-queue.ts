/**
 * The merge queue of one base branch, as a workflow: messages, answers and the timer become events, the reducer in
 * domain/merge-queue decides, and its commands are carried out here, each in a cancellation scope of its own. Nothing
 * is awaited in line, so a withdraw or a pause acts while git is at work.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  log,
  patched,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { assertNever } from '../domain/errors.js';
import { carry, unpack } from '../domain/merge-queue/carry.js';
import type { QueueCommand } from '../domain/merge-queue/commands.js';
import type { CheckReply, QueueEvent } from '../domain/merge-queue/events.js';
import { reduceQueue } from '../domain/merge-queue/reduce.js';
import type { QueueState } from '../domain/merge-queue/state.js';
import type { FenceResult, PublishResult } from '../domain/merge-queue/types.js';
import { blockOf, queueDetails, queueView, standing } from '../domain/merge-queue/view.js';
import type { CheckAnswer, CheckRequest, MergeQueueInput } from './activities.js';
import { Alarm } from './alarm.js';
import { reasonOf } from './failures.js';
import {
  checkSettled,
  enqueue,
  entryChanged,
  entryEdited,
  gateChanged,
  mergeSettled,
  queueState,
  taskEnded,
  unsubscribe,
  withdraw,
} from './messages.js';
import { checkWorkflowOf } from './ids.js';
import { gitOn, records } from './proxies.js';
import { SignalboxRepo, SignalboxWaitingOn } from './search-attributes.js';
import { hear as hearSignal } from './signals.js';

/** A person has to look after the checkout; the landing itself stands. */
function sayIfBehind(task: string, result: PublishResult | FenceResult): void {
  if (result.kind !== 'landed' || result.checkoutBehind === undefined) return;
  log.warn(`the checkout did not follow the landing of ${task}`, { ...result.checkoutBehind });
}

type Asked = Exclude<QueueCommand, { kind: 'cancel' | 'tell' }>;

export async function mergeQueue(input: MergeQueueInput): Promise<void> {
  const { repo, base, queuePrefix } = input;
  let times = input.settings;
  let state: QueueState = {
    ...unpack(repo, base, input.state),
    ...{ aging: patched('aging'), conflicts: patched('conflicts'), letGo: patched('let-go') },
  };
  const inbox: QueueEvent[] = [{ kind: 'restored' }];
  const scopes = new Map<number, CancellationScope>();
  const alarm = new Alarm(`next look at ${base}`, () => inbox.push({ kind: 'tick' }));
  let telling = 0;
  let told = 0;
  let recorded = 0;
  let shown = '';

  setHandler(queueState, () => queueView(state));
  hearSignal(enqueue, (...[request, now, edit]) => {
    times = now ?? times;
    inbox.push({ kind: 'enqueue', request, edit });
  });
  hearSignal(withdraw, ({ id, reason }) => void inbox.push({ kind: 'withdraw', entry: id, reason }));
  hearSignal(entryChanged, ({ id, change }) => void inbox.push({ kind: 'entryChanged', entry: id, change }));
  hearSignal(entryEdited, ({ id, edit }) => void inbox.push({ kind: 'entryEdited', entry: id, edit }));
  hearSignal(taskEnded, ({ id }) => void inbox.push({ kind: 'taskEnded', task: id }));
  hearSignal(gateChanged, (...[{ id, acceptTip }, now]) => {
    times = now ?? times;
    inbox.push({ kind: 'gateChanged', id, acceptTip });
  });
  hearSignal(checkSettled, ({ id, verdict }) => void inbox.push({ kind: 'checkSettled', key: id, verdict }));

  function hear(event: QueueEvent): void {
    const step = reduceQueue(state, event, Date.now(), times);
    state = step.state;
    alarm.set(step.deadline);
    for (const command of step.commands) carryOut(command);
    showWaiting();
  }

  /** One upsert when what the queue waits for changes. */
  function showWaiting(): void {
    const { name } = standing(state);
    const waits = name === 'running' ? '' : name === 'blocked' ? (blockOf(state)?.code ?? name) : name;
    if (waits === shown) return;
    shown = waits;
    upsertSearchAttributes([{ key: SignalboxWaitingOn, value: waits === '' ? null : waits }]);
  }

  function carryOut(command: QueueCommand): void {
    if (command.kind === 'cancel') {
      scopes.get(command.call)?.cancel();
    } else if (command.kind === 'tell') {
      void tell(command);
    } else {
      void call(command);
    }
  }

  async function call(command: Asked): Promise<void> {
    const scope = new CancellationScope();
    scopes.set(command.call, scope);
    try {
      inbox.push(await scope.run(() => ask(command)));
    } catch (err) {
      // A call that the queue gave up is off its list already; its failure is ignored like any late answer.
      inbox.push({ kind: 'failed', call: command.call, message: reasonOf(err) });
    } finally {
      scopes.delete(command.call);
    }
  }

  async function ask(command: Asked): Promise<QueueEvent> {
    const { call: id } = command;
    switch (command.kind) {
      case 'pickHost': {
        const { host } = await records(queuePrefix, 'a live host for git').liveHost('git', command.prefer);
        return { kind: 'hostPicked', call: id, host };
      }
      case 'prepare': {
        const at = gitOn(queuePrefix, command.host, `prepare ${command.request.task}`);
        return { kind: 'prepared', call: id, result: await at.prepareLanding(command.request, command.acceptTip) };
      }
      case 'check': {
        const { task } = command.plan.entry;
        const source = { kind: 'plan', plan: command.plan } as const;
        return { kind: 'checked', call: id, reply: await requestCheck(`check ${task} on ${base}`, source) };
      }
      case 'checkBase': {
        const source = { kind: 'base', branch: base, commit: command.baseOid } as const;
        const reply = await requestCheck(`${command.task} is red: is ${base} red too?`, source);
        return { kind: 'baseChecked', call: id, reply };
      }
      case 'publish': {
        const at = gitOn(queuePrefix, command.host, `publish ${command.plan.entry.task}`, 'publish');
        const result = await at.publishLanding(command.plan, command.verdict);
        sayIfBehind(command.plan.entry.task, result);
        return { kind: 'published', call: id, result };
      }
      case 'fence': {
        const at = gitOn(queuePrefix, command.host, `fence and resolve ${command.task}`);
        const result = await at.fenceLanding(repo, base, command.plan);
        sayIfBehind(command.task, result);
        return { kind: 'fenced', call: id, result };
      }
      case 'predict': {
        const at = gitOn(queuePrefix, command.host, `predict conflicts with ${base}`, 'predict');
        const { baseOid } = await at.predictConflicts(repo, base);
        return { kind: 'predicted', call: id, baseOid };
      }
      case 'letGo': {
        await stopWaiting(command.key);
        return { kind: 'letGone', call: id };
      }
      case 'readGates':
        return { kind: 'gatesRead', call: id, gates: await records(queuePrefix, 'pauses and freezes').readGates(repo) };
      case 'record': {
        const { view, settled } = command;
        const names = settled.map((e) => `${e.identity.task} ${e.outcome.kind}`).join(', ');
        const { runId } = workflowInfo();
        recorded += 1;
        await records(queuePrefix, names === '' ? 'mirror the queue' : names).recordQueue({
          view,
          runId,
          seq: recorded,
          settled,
        });
        return { kind: 'recorded', call: id };
      }
      default:
        return assertNever(command);
    }
  }

  async function requestCheck(summary: string, source: CheckRequest['source']): Promise<CheckReply> {
    const subscriber = workflowInfo().workflowId;
    const request = { repo, checks: null, source, subscriber, mirror: null };
    const answer: CheckAnswer = await records(queuePrefix, summary).requestCheck(request);
    return answer.kind === 'verdict' ? answer : { kind: 'pending', key: answer.key };
  }

  async function stopWaiting(key: string): Promise<void> {
    try {
      const { workflowId } = workflowInfo();
      await getExternalWorkflowHandle(checkWorkflowOf(key)).signal(unsubscribe, { workflowId });
    } catch {
      // It is over: there is nothing to let go.
    }
  }

  async function tell({ workflowId, entry, outcome }: Extract<QueueCommand, { kind: 'tell' }>): Promise<void> {
    telling += 1;
    told += 1;
    try {
      await getExternalWorkflowHandle(workflowId).signal(mergeSettled, { id: entry, outcome });
    } catch {
      // The workflow is closed or gone. The outcome is in its row, where an enqueue of the same entry finds it.
    } finally {
      telling -= 1;
    }
  }

  if (input.state === null) upsertSearchAttributes([{ key: SignalboxRepo, value: repo }]);
  for (;;) {
    for (let event = inbox.shift(); event; event = inbox.shift()) hear(event);
    // Once for all that came together: hundreds of signals may, and a step that takes long is taken for one that hangs.
    setCurrentDetails(queueDetails(state));
    const { continueAsNewSuggested } = workflowInfo();
    if (continueAsNewSuggested || (input.settledPerRun !== null && told >= input.settledPerRun)) {
      if (!state.hold) hear({ kind: 'hold' });
      const atRest = (): boolean => state.calls.length === 0 && telling === 0 && allHandlersFinished();
      if (atRest() && inbox.length === 0)
        await continueAsNew<typeof mergeQueue>({ ...input, settings: times, state: carry(state) });
      await condition(() => inbox.length > 0 || atRest());
    } else {
      await condition(() => inbox.length > 0);
    }
  }
}
