/** What people decide. All of it was permitted (permit.ts) in the state it is applied to. */
import type { Feedback } from '../agents/types.js';
import type { Decision } from '../tasks.js';
import { waitForDependencies } from './dependencies.js';
import type { PersonEvent } from './events.js';
import { emitWithdraw } from './landing.js';
import { afterwards, enterStage, reasonOf, repeatStage, takeEdge } from './stages.js';
import type { Afterwards, Resume } from './state.js';
import { currentOf, cut, emit, finish, iso, enter, set, type Turn } from './turn.js';

export function decided(t: Turn, event: PersonEvent & { type: 'decided' }): void {
  const phase = t.state.phase;
  if (phase.kind !== 'approval') return;
  const stage = currentOf(t, 'approval');
  const { decision, intent, final } = event;
  if (decision.stage !== stage.name || decision.sha !== phase.artifact.sha) return;
  set(t, { decisions: [...t.state.decisions, decision] });
  emit(t, { type: 'recordDecision', decision, blob: phase.artifact.blob, intent });
  if (decision.verdict === 'approved') {
    set(t, { approved: { ...t.state.approved, [stage.name]: phase.artifact } });
    enterStage(t, phase.next);
  } else if (final) {
    finish(t, 'cancelled', `rejected for good: ${decision.reason ?? 'no reason was given'}`);
  } else {
    takeEdge(t, null, stage.of, [{ kind: 'rejection', stage: stage.name, text: cut(decision.reason ?? 'rejected') }]);
  }
}

/** From now on a repeat is answered with what the row says. */
export function decisionRecorded(t: Turn, row: Decision): void {
  const decisions = t.state.decisions.map((d) => (d.stage === row.stage && d.sha === row.sha ? row : d));
  set(t, { decisions });
}

/** `text` null = retry. */
export function goOn(t: Turn, text: string | null): void {
  const phase = t.state.phase;
  if (phase.kind !== 'answer') return;
  const words: Feedback[] = text === null ? [] : [{ kind: 'answer', text: cut(text), question: phase.question }];
  resume(t, text === null ? phase.onRetry : phase.onAnswer, words);
}

function resume(t: Turn, how: Resume, words: Feedback[]): void {
  if (how.kind === 'again') {
    set(t, { feedback: [...t.state.feedback, ...words] });
    repeatStage(t);
    return;
  }
  if (how.kind === 'dependencies') {
    waitForDependencies(t, how.at);
    return;
  }
  if (how.edge !== null) set(t, { edges: { ...t.state.edges, [how.edge]: 0 } });
  takeEdge(t, how.edge, how.stage, [...how.feedback, ...words]);
}

/** Cancel and redo: at once where nothing runs, else as soon as that which runs has ended. */
export function turnAway(t: Turn, then: Afterwards): void {
  const phase = t.state.phase;
  const since = iso(t.now);
  const retryAt = t.now + t.ctx.input.settings.stopPatienceMs;
  switch (phase.kind) {
    case 'ended':
      return;
    case 'host':
      if (phase.asking) {
        // The request in flight may take a slot: its answer has to come before the run can be dropped.
        enter(t, { kind: 'stopping', since, runId: phase.runId, host: null, retryAt, then });
        return;
      }
      emit(t, { type: 'dropRun', runId: phase.runId, reason: reasonOf(then) });
      afterwards(t, then);
      return;
    case 'agent':
      if (phase.away != null) {
        emit(t, { type: 'dropRun', runId: phase.runId, reason: reasonOf(then) });
        afterwards(t, then);
        return;
      }
      enter(t, { kind: 'stopping', since, runId: phase.runId, host: phase.host, retryAt, then });
      emit(t, { type: 'stopRun', runId: phase.runId, host: phase.host, reason: reasonOf(then) }, { type: 'mirror' });
      return;
    case 'stopping':
      set(t, { phase: { ...phase, then } });
      return;
    case 'merge-queue': {
      const first = phase.then === null;
      set(t, { phase: { ...phase, then } });
      if (first && !phase.asking) emitWithdraw(t);
      return;
    }
    case 'check':
      // After a redo it may be asked for again at once, and the two would overtake each other.
      if (then.kind === 'cancel' && phase.workflowId !== null) emit(t, { type: 'letGo', check: phase.workflowId });
      afterwards(t, then);
      return;
    default:
      afterwards(t, then);
  }
}

/** A run that was told to stop has not ended: told again; a cancelled task does not wait for a host that is gone. */
export function stopAgain(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind !== 'stopping' || phase.host === null) return;
  if (phase.then.kind === 'cancel') {
    emit(t, { type: 'dropRun', runId: phase.runId, reason: 'its host did not answer' });
    afterwards(t, phase.then);
    return;
  }
  set(t, { phase: { ...phase, retryAt: t.now + t.ctx.input.settings.stopPatienceMs } });
  emit(t, { type: 'stopRun', runId: phase.runId, host: phase.host, reason: reasonOf(phase.then) });
}
