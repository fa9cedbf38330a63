/** Check stages: the verdict of the head, and of the base when the head is red. */
import type { Verdict } from '../checks/types.js';
import { assertNever } from '../errors.js';
import type { CheckNews } from './events.js';
import { transient } from './runs.js';
import { goBack, passStage } from './stages.js';
import { AGAIN, askPerson, backoffOf, currentOf, emit, enter, iso, set, type Turn } from './turn.js';

const MAX_EARLY = 8;

/** Asks for the verdict of the head, or of the base as it is now (`red` = what the head got). */
export function requestCheck(t: Turn, of: 'head' | 'base', red: Verdict | null = null, shared = false): void {
  if (of === 'head' && t.state.head === null) {
    askPerson(t, 'invalid', 'there is nothing to check: no head is on the remote', AGAIN);
    return;
  }
  const since = shared ? t.state.phase.since : iso(t.now);
  const ask = t.state.asks + 1;
  set(t, { asks: ask });
  const retryAt = t.now + t.ctx.input.settings.checkRetryMs;
  const none = { key: null, workflowId: null, early: [] };
  enter(t, { kind: 'check', since, ask, of, asking: true, ...none, red, shared, retryAt });
  emitRequest(t);
}

/** The answer did not come in time: it may have been lost, so the question is put again. */
export function askForVerdictAgain(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind !== 'check') return;
  const ask = t.state.asks + 1;
  set(t, { asks: ask, phase: { ...phase, ask, asking: true } });
  emitRequest(t);
}

function emitRequest(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind !== 'check') return;
  const { checks } = currentOf(t, 'check');
  const { base, workItem } = t.ctx.input;
  const head = t.state.head ?? '';
  emit(t, {
    type: 'requestCheck',
    ask: phase.ask,
    checks,
    source: phase.of === 'head' ? { kind: 'head', workItem, commit: head } : { kind: 'base-now', branch: base },
  });
}

export function checkAnswered(t: Turn, ask: number, answer: CheckNews): void {
  const phase = t.state.phase;
  if (phase.kind !== 'check' || phase.ask !== ask) {
    // A task that ended while it asked.
    if (phase.kind === 'ended' && answer.kind === 'pending') emit(t, { type: 'letGo', check: answer.workflowId });
    return;
  }
  if (answer.backoff !== undefined) set(t, { backoff: answer.backoff });
  if (answer.kind === 'verdict') {
    judgeVerdict(t, answer.verdict);
    return;
  }
  const came = phase.early.find((verdict) => verdict.key === answer.key);
  if (came !== undefined) {
    judgeVerdict(t, came);
    return;
  }
  const retryAt = t.now + t.ctx.input.settings.checkRetryMs;
  const { key, workflowId } = answer;
  set(t, { phase: { ...phase, asking: false, key, workflowId, early: [], retryAt } });
}

export function checkSettled(t: Turn, key: string, verdict: Verdict): void {
  const phase = t.state.phase;
  if (phase.kind !== 'check') return;
  if (phase.key === key) judgeVerdict(t, verdict);
  // The workflow that checks was faster than the answer that names it.
  else if (phase.key === null) set(t, { phase: { ...phase, early: [...phase.early, verdict].slice(-MAX_EARLY) } });
}

function judgeVerdict(t: Turn, verdict: Verdict): void {
  const phase = t.state.phase;
  if (phase.kind !== 'check') return;
  switch (verdict.verdict) {
    case 'fault':
      transient(t, `the check could not be run: ${verdict.reason ?? 'no reason was given'}`, null, 'check');
      return;
    case 'green':
    case 'none':
      if (phase.red === null) passStage(t);
      else ownRed(t, phase.red);
      return;
    case 'red':
      if (phase.red === null) requestCheck(t, 'base', verdict);
      else if (phase.red.failed?.name === verdict.failed?.name) waitForBase(t, phase.red, phase.shared);
      else ownRed(t, phase.red);
      return;
    default:
      assertNever(verdict.verdict);
  }
}

/** The base fails the same check: nobody is sent to repair what others broke, and nothing is spent. */
function waitForBase(t: Turn, red: Verdict, known: boolean): void {
  const since = known ? t.state.phase.since : iso(t.now);
  const { baseMs, maxMs } = backoffOf(t);
  // As long again as it has been red: doubling, within the backoff of the settings.
  const retryAt = t.now + Math.min(maxMs, Math.max(baseMs, t.now - Date.parse(since)));
  enter(t, { kind: 'base-red', since, red, retryAt });
  emit(t, { type: 'mirror' });
}

export function lookAtBaseAgain(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind === 'base-red') requestCheck(t, 'base', phase.red, true);
}

function ownRed(t: Turn, red: Verdict): void {
  const { name, command, tail } = red.failed ?? { name: 'unknown', command: [], tail: '' };
  const { onFail } = currentOf(t, 'check');
  goBack(t, 'onFail', onFail, [{ kind: 'red', check: name, command, tail }], `check ${name} is red`, tail);
}
