/** The merge stage: one entry in the queue at a time, and how it left. */
import type { Feedback } from '../agents/types.js';
import type { EntryChange, Landing, MergeOutcome } from '../merge-queue/types.js';
import { afterwards, goBack, passStage, reasonOf, toNearestAgent } from './stages.js';
import { AGAIN, askPerson, currentOf, emit, enter, iso, note, set, type Turn } from './turn.js';

export function enqueue(t: Turn): void {
  const { input, ids } = t.ctx;
  if (t.state.head === null) {
    askPerson(t, 'invalid', 'there is nothing to land: no head is on the remote', AGAIN);
    return;
  }
  const tries = t.state.tries + 1;
  set(t, { tries });
  const { title, priority, version: told } = t.state.words;
  const request = {
    ...ids.entry(t.state.head, tries),
    workflowId: ids.workflow,
    title,
    priority,
    enqueuedAt: iso(Math.floor(t.now / 1000) * 1000).replace('.000Z', 'Z'),
    ...(t.state.stackBase == null ? {} : { stackBase: t.state.stackBase }),
  };
  const retryAt = t.now + input.settings.mergeRetellMs;
  enter(t, {
    kind: 'merge-queue',
    since: iso(t.now),
    request,
    position: null,
    asking: true,
    told,
    retryAt,
    then: null,
  });
  emit(t, { type: 'enqueue', request });
}

/** The same entry: a queue that settled it tells the outcome again, one that has it does nothing. */
export function enqueueAgain(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind !== 'merge-queue') return;
  set(t, { phase: { ...phase, asking: true } });
  if (phase.then !== null) emitWithdraw(t);
  emit(t, { type: 'enqueue', request: phase.request });
}

export function enqueueAnswered(t: Turn, entry: string, settled: MergeOutcome | null, position: number | null): void {
  const phase = t.state.phase;
  if (phase.kind !== 'merge-queue' || phase.request.entry !== entry) return;
  if (settled !== null) {
    judgeOutcome(t, settled);
    return;
  }
  const retryAt = t.now + t.ctx.input.settings.mergeRetellMs;
  set(t, { phase: { ...phase, asking: false, position, retryAt } });
  tellWords(t);
  if (phase.then !== null && phase.asking) emitWithdraw(t);
}

/** Title and priority changed. What came later is newer, whatever order it is heard in. */
export function changed(t: Turn, change: EntryChange): void {
  if (change.version <= t.state.words.version) return;
  set(t, { words: change });
  tellWords(t);
}

/** The entry that waits learns the words; one that is still being enqueued must be there before. */
function tellWords(t: Turn): void {
  const phase = t.state.phase;
  const { words } = t.state;
  if (phase.kind !== 'merge-queue' || phase.asking || phase.told >= words.version) return;
  const { title, priority, version } = words;
  set(t, { phase: { ...phase, request: { ...phase.request, title, priority }, told: version } });
  emit(t, { type: 'changeEntry', entry: phase.request.entry, change: words });
}

export function mergeSettled(t: Turn, entry: string, outcome: MergeOutcome): void {
  const phase = t.state.phase;
  if (phase.kind === 'merge-queue' && phase.request.entry === entry) judgeOutcome(t, outcome);
}

/** Also while the request is in flight: the queue takes both in any order, since the entry's id is known. */
export function emitWithdraw(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind !== 'merge-queue' || phase.then === null) return;
  emit(t, { type: 'withdraw', entry: phase.request.entry, reason: reasonOf(phase.then) });
}

function judgeOutcome(t: Turn, outcome: MergeOutcome): void {
  const phase = t.state.phase;
  if (phase.kind !== 'merge-queue') return;
  if (outcome.kind === 'landed') {
    if (phase.then !== null) note(t, `the ${phase.then.kind} came too late: the change had landed`);
    land(t, outcome.landing);
    return;
  }
  if (phase.then !== null) {
    afterwards(t, phase.then);
    return;
  }
  const stage = currentOf(t, 'merge');
  switch (outcome.kind) {
    case 'contained':
      note(t, 'base already contained the head: nothing was landed');
      passStage(t);
      return;
    case 'conflict': {
      const { conflict, baseOid } = outcome;
      const { paths } = conflict;
      const facts: Feedback[] = [{ kind: 'conflict', base: t.ctx.input.base, baseOid, ...conflict }];
      goBack(t, 'onConflict', stage.onConflict, facts, `conflict with ${t.ctx.input.base} in ${paths.join(', ')}`);
      return;
    }
    case 'red': {
      const { name, command, tail } = outcome.failed ?? { name: 'unknown', command: [], tail: '' };
      goBack(
        t,
        'onRed',
        stage.onRed,
        [{ kind: 'red', check: name, command, tail }],
        `check ${name} is red after merging`,
        tail,
      );
      return;
    }
    case 'refused': {
      const facts: Feedback[] = [{ kind: 'finding', stage: stage.name, text: outcome.reason }];
      const onRetry = { kind: 'again' } as const;
      askPerson(t, 'refused', `the queue refused it: ${outcome.reason}`, { ...toNearestAgent(t, facts), onRetry });
      return;
    }
    case 'withdrawn':
      askPerson(t, 'blocked', `taken out of the merge queue: ${outcome.reason}`, AGAIN);
      return;
  }
}

function land(t: Turn, landing: Landing): void {
  const { commit, tree, base, plan, at, checkoutBehind } = landing;
  set(t, { landed: { commit, tree, base, plan, at, ...(checkoutBehind && { checkoutBehind }) } });
  passStage(t);
}
