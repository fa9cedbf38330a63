/** Agent stages: a slot, a run, and what it came to. */
import { backoffMs, LONGEST_RETRY_AFTER_SECONDS, retryFloorSeconds } from '../agents/backoff.js';
import type { Feedback, RunOutcome, RunReport, RunRequest } from '../agents/types.js';
import { afterwards, artifactPath, goBack, passStage } from './stages.js';
import {
  AGAIN,
  askPerson,
  backoffOf,
  count,
  currentOf,
  cut,
  emit,
  enter,
  iso,
  note,
  set,
  type TaskContext,
  type Turn,
} from './turn.js';

/** The next run of the current stage gets in line. */
export function requestRun(t: Turn): void {
  const { name } = currentOf(t, 'agent');
  set(t, { runs: { ...t.state.runs, [name]: (t.state.runs[name] ?? 0) + 1 } });
  const run = runRequest(t);
  const retryAt = t.now + t.ctx.input.settings.grantRetryMs;
  enter(t, { kind: 'host', since: iso(t.now), runId: run.runId, asking: true, reason: null, ahead: 0, retryAt });
  emit(t, { type: 'requestRun', run });
}

function runRequest(t: Turn): RunRequest {
  const stage = currentOf(t, 'agent');
  const { input, ids } = t.ctx;
  const attempt = t.state.runs[stage.name] ?? 0;
  return {
    runId: ids.run(stage.name, attempt),
    repo: input.repo,
    workItem: input.workItem,
    generation: input.generation,
    stage: stage.name,
    attempt,
    agent: t.state.visit.overrides.agent ?? stage.agent,
    preferHost: t.state.host,
    workflowId: ids.workflow,
  };
}

/** Same run again: the line knows it by its id. */
export function askForSlotAgain(t: Turn): void {
  const phase = t.state.phase;
  if (phase.kind !== 'host') return;
  set(t, { phase: { ...phase, asking: true } });
  emit(t, { type: 'requestRun', run: runRequest(t) });
}

export function requestAnswered(
  t: Turn,
  runId: string,
  granted: { host: string } | null,
  ahead: number,
  reason: string,
): void {
  const phase = t.state.phase;
  if (phase.kind === 'host' && phase.runId === runId) {
    if (granted !== null) startRun(t, granted.host);
    else {
      const retryAt = t.now + t.ctx.input.settings.grantRetryMs;
      set(t, { phase: { ...phase, asking: false, ahead, reason, retryAt } });
    }
  } else if (phase.kind === 'stopping' && phase.runId === runId && phase.host === null) {
    emit(t, { type: 'dropRun', runId, reason: 'not wanted any more' });
    afterwards(t, phase.then);
  } else if (runId !== t.state.lastRun) {
    emit(t, { type: 'dropRun', runId, reason: 'not wanted any more' });
  }
}

export function runGranted(t: Turn, runId: string, host: string): void {
  const phase = t.state.phase;
  if (phase.kind === 'host' && phase.runId === runId) startRun(t, host);
}

function startRun(t: Turn, host: string): void {
  const stage = currentOf(t, 'agent');
  const run = runRequest(t);
  enter(t, { kind: 'agent', since: iso(t.now), runId: run.runId, host });
  set(t, { host, begun: true, lastRun: run.runId });
  emit(t, {
    type: 'runAgent',
    run,
    host,
    stage,
    overrides: t.state.visit.overrides,
    feedback: [...earlierSummaries(t), ...t.state.feedback],
    artifacts: documents(t.ctx),
    head: t.state.head,
    stackBase: t.state.stackBase ?? null,
  });
}

function earlierSummaries(t: Turn): Feedback[] {
  const told = new Set(t.state.feedback.map((f) => (f.kind === 'finding' ? f.stage : null)));
  return t.ctx.input.pipeline.stages.slice(0, t.state.stage).flatMap((stage): Feedback[] => {
    const text = t.state.summaries[stage.name];
    return text === undefined || told.has(stage.name) ? [] : [{ kind: 'finding', stage: stage.name, text }];
  });
}

function documents(ctx: TaskContext): string[] {
  const paths = ctx.input.pipeline.stages.map((stage) => artifactPath(ctx.input.workItem, stage));
  return [...new Set(paths.filter((path) => path !== null))];
}

/** Presence is the store's to know: a silent host may be busy, asleep or dead, so nothing is given up here by itself. */
export function hostChanged(t: Turn, runId: string, away: string | null): void {
  const { phase } = t.state;
  if (phase.kind === 'stopping' && phase.host !== null && phase.runId === runId && away !== null) {
    emit(t, { type: 'dropRun', runId, reason: `its host ${phase.host} is away` });
    afterwards(t, phase.then);
    return;
  }
  if (phase.kind !== 'agent' || phase.runId !== runId || (phase.away ?? null) === away) return;
  set(t, { phase: { ...phase, away } });
  emit(t, { type: 'mirror' });
}

/** A person gives up the run on a host that is away: its slot is free, and what it does later counts for nothing. */
export function runElsewhere(t: Turn): void {
  const { phase } = t.state;
  if (phase.kind !== 'agent' || phase.away == null) return;
  emit(t, { type: 'dropRun', runId: phase.runId, reason: `its host ${phase.host} is away` });
  requestRun(t);
}

export function runFinished(t: Turn, runId: string, report: RunReport): void {
  const phase = t.state.phase;
  if (phase.kind !== 'agent' && phase.kind !== 'stopping') return;
  if (phase.runId !== runId) return;
  absorb(t, report);
  if (phase.kind === 'stopping') afterwards(t, phase.then);
  else judge(t, report.outcome);
}

function absorb(t: Turn, report: RunReport): void {
  const stage = currentOf(t, 'agent');
  set(t, { head: report.head ?? t.state.head, blobs: { ...t.state.blobs, ...report.artifacts } });
  if (report.stackBase !== undefined) set(t, { stackBase: report.stackBase });
  note(t, ...report.notes);
  const summary = 'summary' in report.outcome ? report.outcome.summary : null;
  if (summary !== null) set(t, { summaries: { ...t.state.summaries, [stage.name]: cut(summary) } });
}

function judge(t: Turn, outcome: RunOutcome): void {
  const stage = currentOf(t, 'agent');
  switch (outcome.kind) {
    case 'passed': {
      const path = artifactPath(t.ctx.input.workItem, stage);
      if (t.state.head !== null) {
        const blob = path === null ? null : (t.state.blobs[path] ?? null);
        set(t, { results: { ...t.state.results, [stage.name]: { path, sha: t.state.head, blob } } });
      }
      set(t, { feedback: [] });
      passStage(t);
      return;
    }
    case 'failed': {
      const text = cut(outcome.summary ?? 'no reason was given');
      if (stage.onFail === null) fault(t, `the agent's verdict is fail: ${text}`);
      else
        goBack(t, 'onFail', stage.onFail, [{ kind: 'finding', stage: stage.name, text }], `${stage.name} found faults`);
      return;
    }
    case 'needs-human':
      count(t, 'humanWaits');
      askPerson(t, 'question', cut(outcome.question), { question: cut(outcome.question), ...AGAIN });
      return;
    case 'fault':
      fault(t, cut(outcome.reason));
      return;
    case 'transient':
      transient(t, outcome.reason, outcome.retryAfterSeconds, 'run');
      return;
    case 'stopped':
      transient(t, `the run was stopped: ${outcome.reason}`, null, 'run');
      return;
  }
}

/** Spends one of the visit's attempts; when they are used up a person is asked. */
function fault(t: Turn, reason: string): void {
  const stage = currentOf(t, 'agent');
  const { visit, feedback } = t.state;
  const faults = visit.faults + 1;
  count(t, 'faults');
  set(t, {
    visit: { ...visit, faults, transient: 0 },
    feedback: [...feedback.filter((f) => f.kind !== 'fault'), { kind: 'fault', stage: stage.name, text: reason }],
  });
  const budget = stage.maxAttempts ?? t.ctx.input.maxAttempts ?? t.ctx.input.settings.maxAttempts;
  if (faults >= budget)
    askPerson(t, 'attempts', `${faults} of ${budget} attempts are used up; the last: ${reason}`, AGAIN);
  else requestRun(t);
}

/**
 * Waits and spends nothing. The jitter follows from task and time, so that the same event always decides the same.
 */
export function transient(t: Turn, reason: string, retryAfterSeconds: number | null, resume: 'run' | 'check'): void {
  const n = t.state.visit.transient + 1;
  count(t, 'transient');
  set(t, { visit: { ...t.state.visit, transient: n } });
  const floor = retryFloorSeconds(retryAfterSeconds) ?? 0;
  if (floor > LONGEST_RETRY_AFTER_SECONDS) {
    askPerson(t, 'blocked', cut(`${reason}; asked to come back in ${Math.round(floor / 86400)} days`), AGAIN);
    return;
  }
  const until = t.now + backoffMs(n, backoffOf(t), spread(`${t.ctx.ids.workflow} ${t.now} ${n}`), floor);
  enter(t, { kind: 'backoff', since: iso(t.now), until, n, reason: cut(reason), resume });
  emit(t, { type: 'mirror' });
}

/** From 0 to 1. */
function spread(text: string): number {
  let hash = 7;
  for (const char of text) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 1009;
  return hash / 1009;
}
