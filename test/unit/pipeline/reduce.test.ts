import { expect, test } from 'vitest';
import type { RunOutcome, RunReport } from '../../../domain/agents/types.js';
import type { TaskEvent } from '../../../domain/pipeline/events.js';
import { details, explain } from '../../../domain/pipeline/explain.js';
import { DEFAULT_PIPELINE } from '../../../domain/pipeline/default.js';
import { NO_OVERRIDES, type TaskInput } from '../../../domain/pipeline/input.js';
import { cannotApprove, mayBeginAt, permit } from '../../../domain/pipeline/permit.js';
import { deadline, initialState, reduce } from '../../../domain/pipeline/reduce.js';
import type { TaskState } from '../../../domain/pipeline/state.js';
import type { TaskCommand } from '../../../domain/pipeline/commands.js';
import { picture } from '../../../domain/pipeline/waiting.js';
import type { Stage } from '../../../domain/pipeline/types.js';
import { landing, modelContext, oid, verdict } from '../../support/task-model.js';

const START = Date.parse('2026-11-21T00:00:00Z');
const DOC = 'docs/brd/ET-001.md';

class Story {
  now = START;
  readonly ctx;
  state: TaskState;
  commands: TaskCommand[] = [];

  constructor(more: Partial<TaskInput> = {}) {
    this.ctx = modelContext(more);
    this.state = initialState(this.ctx.input, this.now);
    this.on({ type: 'begin' });
  }

  on(event: TaskEvent, later = 0): this {
    this.now += later;
    const { state, commands } = reduce(this.ctx, this.state, event, this.now);
    this.state = state;
    this.commands = commands;
    return this;
  }

  /** The current run is granted, runs, and comes to that. */
  run(outcome: RunOutcome['kind'] | RunOutcome, head: number, blob = 1): this {
    const { phase } = this.state;
    if (phase.kind !== 'host') throw new Error(`not in line but ${JSON.stringify(phase)}`);
    this.on({ type: 'requestAnswered', runId: phase.runId, granted: { host: 'h' }, ahead: 0, reason: '' });
    const whole =
      typeof outcome === 'string' ? ({ kind: outcome, summary: 'words', reason: 'why' } as RunOutcome) : outcome;
    const report: RunReport = {
      ...{ runId: phase.runId, outcome: whole, head: oid(head), commits: 1, notes: [] },
      artifacts: { [DOC]: oid(blob) },
    };
    return this.on({ type: 'runFinished', runId: phase.runId, report });
  }

  decide(verdict: 'approved' | 'rejected', later = 0): this {
    const { phase } = this.state;
    if (phase.kind !== 'approval') throw new Error(`no approval but ${phase.kind}`);
    const decision = { stage: 'approval', sha: phase.artifact.sha, verdict, by: 'ann', at: 'x', reason: 'because' };
    return this.on({ type: 'decided', decision, intent: null, final: false }, later);
  }

  get wait() {
    return picture(this.ctx, this.state).waitingOn;
  }
}

test('a document that changes after its approval is asked for again, and the task goes on where it was', () => {
  const story = new Story().run('passed', 1, 1).decide('approved').run('passed', 2, 9);
  expect(story.wait).toMatchObject({ kind: 'approval', artifact: { path: DOC, sha: oid(2) } });
  story.decide('approved');
  expect(picture(story.ctx, story.state)).toMatchObject({ stage: 'development', counters: { humanWaits: 2 } });
});

test('the same document at another head stays approved; another one is asked for', () => {
  const redo = { type: 'redone', stage: 'analysis', overrides: NO_OVERRIDES, intent: null } as const;
  const inArchitecture = (): Story => {
    const story = new Story().run('passed', 1, 1).decide('approved');
    const { phase } = story.state;
    story.on({
      type: 'requestAnswered',
      runId: phase.kind === 'host' ? phase.runId : '',
      granted: null,
      ahead: 1,
      reason: '',
    });
    return story.on(redo);
  };
  expect(picture(inArchitecture().ctx, inArchitecture().run('passed', 5, 1).state).stage).toBe('architecture');
  expect(inArchitecture().run('passed', 5, 2).wait).toMatchObject({ kind: 'approval', artifact: { sha: oid(5) } });
});

test('a rejected head that comes back unchanged is a question, not a loop', () => {
  const story = new Story().run('passed', 1).decide('rejected').run('passed', 1);
  expect(story.wait).toMatchObject({ kind: 'answer', code: 'bound' });
  expect(story.on({ type: 'retried', intent: null }).state.phase.kind).toBe('host');
});

test("a person's time is the sum of the rounds; the agent's rework is not in it", () => {
  const story = new Story().run('passed', 1).decide('rejected', 60_000);
  story.now += 3_600_000;
  story.run('passed', 2).decide('approved', 30_000);
  expect(story.state.humanSeconds).toBe(90);
});

test('transient: backoff grows, a retry-after is a floor, a very long one is a question', () => {
  const transient = (retryAfterSeconds: number | null): RunOutcome => ({
    ...{ kind: 'transient', failureClass: 'transient', reason: '429' },
    retryAfterSeconds,
  });
  const story = new Story().run(transient(null), 1);
  const wait = (): number => (deadline(story.state) ?? 0) - story.now;
  expect(wait()).toBeGreaterThanOrEqual(20_000);
  expect(wait()).toBeLessThanOrEqual(22_000);
  story.on({ type: 'tick' }, wait()).run(transient(null), 1);
  expect(wait()).toBeGreaterThanOrEqual(40_000);
  story.on({ type: 'tick' }, wait()).run(transient(3600), 1);
  expect(wait()).toBeGreaterThanOrEqual(3_600_000);
  expect(story.state.counters).toMatchObject({ transient: 3, faults: 0 });
  story.on({ type: 'tick' }, wait()).run(transient(8 * 24 * 3600), 1);
  expect(story.wait).toMatchObject({ kind: 'answer', code: 'blocked' });
});

test.each<[string, Partial<TaskInput>, number | null, number]>([
  ['the setting', {}, null, 2],
  ['the task', { maxAttempts: 3 }, null, 3],
  ['the stage', { maxAttempts: 3 }, 1, 1],
])('attempts: %s says how many', (_, more, stage, runs) => {
  const agent: Stage = {
    ...{ name: 'dev', kind: 'agent', agent: 'a', prompt: null, artifact: null, commits: 'optional', onFail: null },
    maxAttempts: stage,
  };
  const story = new Story({ ...more, pipeline: { stages: [agent] } });
  for (let n = 1; n < runs; n += 1) expect(story.run('fault', n).state.phase.kind).toBe('host');
  expect(story.run('failed', runs).wait).toMatchObject({ kind: 'answer', code: 'attempts' });
  story.on({ type: 'answered', text: 'try the other door', intent: null });
  expect(story.state.visit.faults).toBe(0);
  expect(story.state.feedback.at(-1)).toEqual({ kind: 'answer', text: 'try the other door', question: null });
  expect(story.run('passed', 9).state.phase).toMatchObject({ kind: 'ended', state: 'done' });
});

test('merge: withdrawn, refused, contained; nothing is landed twice', () => {
  const agent: Stage = {
    ...{ name: 'dev', kind: 'agent', agent: 'a', prompt: null, artifact: null, commits: 'required', onFail: null },
    maxAttempts: null,
  };
  const stages: Stage[] = [agent, { name: 'merge', kind: 'merge', onConflict: null, onRed: null }];
  const entry = (story: Story): string =>
    story.state.phase.kind === 'merge-queue' ? story.state.phase.request.entry : 'none';
  const story = new Story({ pipeline: { stages } }).run('passed', 1);
  story.on({ type: 'mergeSettled', entry: entry(story), outcome: { kind: 'withdrawn', reason: 'by hand' } });
  expect(story.wait).toMatchObject({ kind: 'answer', code: 'blocked' });
  story.on({ type: 'retried', intent: null });
  story.on({ type: 'mergeSettled', entry: entry(story), outcome: { kind: 'refused', reason: 'forged trailers' } });
  expect(story.wait).toMatchObject({ kind: 'answer', code: 'refused' });
  story.on({ type: 'answered', text: 'take them out', intent: null });
  expect(picture(story.ctx, story.state).stage).toBe('dev');
  story.run('passed', 2);
  story.on({ type: 'mergeSettled', entry: entry(story), outcome: { kind: 'contained' } });
  expect(picture(story.ctx, story.state)).toMatchObject({ state: 'done', landed: null });
  const ended = story.state;
  story.on({ type: 'mergeSettled', entry: 'e', outcome: landing(oid(2)) });
  expect(story.state).toBe(ended);
});

test.each(['testing', 'merge'] as const)('a red of %s that a person looks at shows its last lines', (kind) => {
  const agent: Stage = {
    ...{ name: 'dev', kind: 'agent', agent: 'a', prompt: null, artifact: null, commits: 'required', onFail: null },
    maxAttempts: null,
  };
  const last: Stage =
    kind === 'merge'
      ? { name: 'merge', kind, onConflict: null, onRed: null }
      : { name: 'testing', kind: 'check', checks: null, onFail: null };
  const story = new Story({ pipeline: { stages: [agent, last] } }).run('passed', 1);
  const failed = { name: 'unit', command: ['npm', 'test'], exitCode: 1, tail: '\u001b[31m1 failing\nexpected 2\n' };
  const { phase } = story.state;
  if (phase.kind === 'merge-queue') {
    story.on({ type: 'mergeSettled', entry: phase.request.entry, outcome: { kind: 'red', failed } });
  }
  for (const of of phase.kind === 'check' ? (['head', 'base'] as const) : []) {
    const now = story.state.phase;
    if (now.kind !== 'check') throw new Error(now.kind);
    const found = of === 'head' ? { ...verdict('red'), failed } : verdict('green');
    story.on({ type: 'checkAnswered', ask: now.ask, answer: { kind: 'verdict', verdict: found } });
  }
  expect(story.wait?.code).toBe('bound');
  expect(story.wait?.detail).toMatch(/^check unit is red.*; its last lines:\n {4}1 failing\n {4}expected 2$/);
});

test('a document that is not there can be sent back, not approved', () => {
  const story = new Story().run('passed', 1);
  expect(cannotApprove(story.state, 'approval', oid(1))).toBeNull();
  const { phase } = story.state;
  if (phase.kind !== 'approval') throw new Error(phase.kind);
  const missing = { ...story.state, phase: { ...phase, artifact: { ...phase.artifact, blob: null } } };
  expect(cannotApprove(missing, 'approval', oid(1))).toContain(`there is no ${DOC} in ${oid(1)}`);
  expect(cannotApprove(missing, 'approval', oid(2)), 'another commit is refused as stale').toBeNull();
  const whole = { ...story.state, phase: { ...phase, artifact: { path: null, sha: oid(1), blob: null } } };
  expect(cannotApprove(whole, 'approval', oid(1))).toBeNull();
  expect(story.decide('rejected').state.phase.kind).toBe('host');
});

test('a new priority reaches the entry that waits, once it is there; the title is shown at once', () => {
  const story = new Story({
    pipeline: { stages: DEFAULT_PIPELINE.stages.slice(-4).filter((s) => s.kind !== 'check' && s.name !== 'review') },
  });
  story.run('passed', 1);
  const { phase } = story.state;
  if (phase.kind !== 'merge-queue') throw new Error(phase.kind);
  const { entry } = phase.request;
  const change = (version: number, priority: 'low' | 'urgent', title = 'Changed') =>
    story.on({ type: 'changed', change: { version, priority, title } }).commands;
  expect(phase.request.priority).toBe('normal');
  // The entry is on its way: what overtook it would be lost.
  expect(change(2, 'urgent')).toEqual([]);
  expect(details(story.ctx, story.state)).toContain('Changed');
  const answered = story.on({ type: 'enqueueAnswered', entry, settled: null, position: 1 }).commands;
  expect(answered).toEqual([
    { type: 'changeEntry', entry, change: { version: 2, priority: 'urgent', title: 'Changed' } },
  ]);
  expect(change(1, 'low')).toEqual([]);
  expect(change(2, 'low')).toEqual([]);
  expect(change(3, 'low')).toMatchObject([{ type: 'changeEntry', change: { version: 3, priority: 'low' } }]);
  // A queue that lost everything is told the newest.
  story.on({ type: 'tick' }, 400_000);
  expect(story.commands).toMatchObject([{ type: 'enqueue', request: { entry, priority: 'low', title: 'Changed' } }]);
});

test('permits: expired, stale, repeated and impossible wishes', () => {
  const story = new Story().run('passed', 1);
  const ask = (wish: Parameters<typeof permit>[2], intent: number | null = null, expiresAt: string | null = null) => {
    const answer = permit(story.ctx, story.state, wish, intent, expiresAt, story.now);
    return answer.kind === 'no' ? answer.code : answer.kind;
  };
  const due = { kind: 'decide', stage: 'approval', sha: oid(1) } as const;
  expect(ask(due)).toBe('yes');
  expect(ask(due, null, '2026-11-20T00:00:00Z')).toBe('no-worker');
  expect(ask(due, null, 'soon')).toBe('no-worker');
  expect(ask({ ...due, sha: oid(2) })).toBe('stale-decision');
  expect(ask({ kind: 'answer' })).toBe('conflict');
  expect(ask({ kind: 'redo', stage: 'merge' })).toBe('conflict');
  expect(ask({ kind: 'redo', stage: 'lunch' })).toBe('not-acceptable');
  story.decide('approved');
  expect(ask(due, null, '2026-11-20T00:00:00Z')).toBe('repeat');
});

test('a repair is on the same branch, and all that follows it is done again: a conflict passes nothing by', () => {
  const story = new Story().run('passed', 1).decide('approved').run('passed', 2);
  const toMerge = (head: number): string => {
    story.run('passed', head).run('passed', head);
    const { phase } = story.state;
    if (phase.kind !== 'check') throw new Error(`not in testing but ${phase.kind}`);
    story.on({ type: 'checkAnswered', ask: phase.ask, answer: { kind: 'verdict', verdict: verdict('green') } });
    const [enqueue] = story.commands;
    if (enqueue?.type !== 'enqueue') throw new Error('not enqueued');
    expect(enqueue.request.head).toBe(oid(head));
    return enqueue.request.entry;
  };
  const outcome = { kind: 'conflict', conflict: { paths: ['a'], hunks: '<' }, baseOid: oid(50) } as const;
  const stageOf = (): string => picture(story.ctx, story.state).stage;
  const entries = new Set<string>();
  for (const head of [3, 4, 5]) {
    entries.add(toMerge(head));
    const [entry = ''] = [...entries].slice(-1);
    story.on({ type: 'mergeSettled', entry, outcome: { ...outcome, conflict: { paths: ['a'], hunks: '<' } } });
    expect(stageOf()).toBe('development');
    expect(story.state.head).toBe(oid(head));
    expect(story.state.feedback).toMatchObject([{ kind: 'conflict', base: 'main', baseOid: oid(50), paths: ['a'] }]);
  }
  entries.add(toMerge(6));
  story.on({
    type: 'mergeSettled',
    entry: [...entries].slice(-1)[0] ?? '',
    outcome: { ...outcome, conflict: { paths: ['a'], hunks: '<' } },
  });
  expect(story.wait).toMatchObject({ kind: 'answer', code: 'bound' });
  expect(entries.size).toBe(4);
});

test('without checks testing is skipped; a cancelled task keeps the name of its stage', () => {
  const story = new Story({ checksExist: false }).run('passed', 1).decide('approved');
  story.run('passed', 2).run('passed', 3).run('passed', 3);
  expect(picture(story.ctx, story.state).stage).toBe('merge');
  expect(details(story.ctx, story.state)).toContain('merge-queue/web/main');
  const cancelled = new Story().run('passed', 1);
  cancelled.on({ type: 'cancelled', reason: 'enough', by: 'ann', intent: null });
  expect(picture(cancelled.ctx, cancelled.state)).toMatchObject({
    state: 'cancelled',
    stage: 'approval',
    waitingOn: null,
  });
});

test('a redo of a task that is over begins where it has been, not behind an approval', () => {
  const { pipeline } = new Story().ctx.input;
  expect(mayBeginAt(pipeline, 'done', 'merge')).toBe(true);
  expect(mayBeginAt(pipeline, 'approval', 'analysis')).toBe(true);
  expect(mayBeginAt(pipeline, 'approval', 'merge')).toBe(false);
  expect(mayBeginAt(pipeline, 'created', 'analysis')).toBe(true);
  expect(mayBeginAt(pipeline, 'done', 'lunch')).toBe(false);
});

test('every wait says what it is, until when, and who ends it: start, host, backoff, base-red', () => {
  const dev = DEFAULT_PIPELINE.stages.filter((s) => s.name === 'development' || s.kind === 'check');
  const context = modelContext({ pipeline: { stages: dev } });
  const [start] = explain(context, initialState(context.input, START));
  expect(start).toMatchObject({ kind: 'start', until: null, unblockedBy: ['any worker'] });

  const story = new Story({ pipeline: { stages: dev } });
  const link = () => explain(story.ctx, story.state)[0];
  const runId = 'development.1';
  story.on({ type: 'requestAnswered', runId, granted: null, ahead: 3, reason: 'no host is alive' });
  expect(link()).toMatchObject({ kind: 'host', until: null, links: { run: runId } });
  expect(link()?.detail).toContain('(3 ahead): no host is alive');
  expect(link()?.unblockedBy).toContain('signalbox worker');

  const report = { runId, outcome: { kind: 'transient', reason: '429', retryAfterSeconds: null }, head: null };
  story.on({ type: 'granted', runId, host: 'h' });
  expect(link()).toMatchObject({ kind: 'agent', links: { run: runId, host: 'h' } });
  story.on({ type: 'runFinished', runId, report: { ...report, commits: 0, notes: [], artifacts: {} } as RunReport });
  expect(link()).toMatchObject({ kind: 'backoff', unblockedBy: ['the clock', 'signalbox task retry web/ET-001'] });
  expect(Date.parse(link()?.until ?? '')).toBe(deadline(story.state));
  expect(link()?.detail).toContain('429');

  story.on({ type: 'tick' }, 60_000).run('passed', 1);
  const answer = (kind: 'red') => {
    const { phase } = story.state;
    if (phase.kind !== 'check') throw new Error(phase.kind);
    story.on({ type: 'checkAnswered', ask: phase.ask, answer: { kind: 'verdict', verdict: verdict(kind) } });
  };
  answer('red');
  expect(link()).toMatchObject({ kind: 'check', detail: 'is main red too? check unit failed at the head' });
  answer('red');
  expect(link()).toMatchObject({ kind: 'check', unblockedBy: ['a green main', 'signalbox task retry web/ET-001'] });
  expect(link()?.until).not.toBeNull();
  expect(story.wait?.code).toBe('base-red');
});

test('a run whose host is away waits for that host, until it is back or a person gives the run up', () => {
  const story = new Story();
  const inLine = story.state.phase;
  if (inLine.kind !== 'host') throw new Error(inLine.kind);
  const { runId } = inLine;
  story.on({ type: 'requestAnswered', runId, granted: { host: 'h' }, ahead: 0, reason: '' });
  const away = '2026-11-21T00:02:00.000Z';
  const mayRetry = (): string => permit(story.ctx, story.state, { kind: 'retry' }, null, null, story.now).kind;
  expect(story.on({ type: 'hostChanged', runId: 'another', away }).wait?.kind).toBe('agent');
  expect(mayRetry()).toBe('no');
  story.on({ type: 'hostChanged', runId, away });
  expect(story.commands).toEqual([{ type: 'mirror' }]);
  expect(story.on({ type: 'hostChanged', runId, away }).commands, 'told twice').toEqual([]);
  expect(picture(story.ctx, story.state)).toMatchObject({ state: 'waiting', agentRunning: null });
  expect(story.wait).toMatchObject({ kind: 'host', since: away, links: { run: runId, host: 'h' } });
  expect(story.wait?.detail).toContain(`host h, where run ${runId} is, has not been heard of since ${away}`);
  expect(story.wait?.unblockedBy.join()).toContain('signalbox task retry web/ET-001');
  expect(story.on({ type: 'hostChanged', runId, away: null }).wait?.kind).toBe('agent');

  story.on({ type: 'hostChanged', runId, away });
  expect(mayRetry()).toBe('yes');
  story.on({ type: 'retried', intent: null });
  expect(story.commands.map((c) => c.type)).toEqual(['dropRun', 'requestRun']);
  const report: RunReport = {
    ...{ runId, outcome: { kind: 'passed', summary: null }, head: oid(9), commits: 1, notes: [], artifacts: {} },
  };
  const late = story.on({ type: 'runFinished', runId, report });
  expect(late.state).toMatchObject({ phase: { kind: 'host' }, head: null, counters: { faults: 0 } });
});

test('a cancel or a redo of a run on a host that is away waits for nothing there', () => {
  for (const event of [
    { type: 'cancelled', reason: 'no', by: 'ann', intent: null },
    { type: 'redone', stage: 'analysis', overrides: NO_OVERRIDES, intent: null },
  ] as const) {
    for (const first of ['away', 'told'] as const) {
      const story = new Story();
      const { phase } = story.state;
      if (phase.kind !== 'host') throw new Error(phase.kind);
      const { runId } = phase;
      story.on({ type: 'requestAnswered', runId, granted: { host: 'h' }, ahead: 0, reason: '' });
      if (first === 'told') story.on(event);
      story.on({ type: 'hostChanged', runId, away: '2026-11-21T00:02:00.000Z' });
      if (first === 'away') story.on(event);
      expect(story.commands[0]).toMatchObject({ type: 'dropRun', runId });
      expect(story.state.phase.kind).toBe(event.type === 'cancelled' ? 'ended' : 'host');
    }
  }
});

test('a red base is looked at ever rarer, within the backoff of the settings as they are now', () => {
  const stages = DEFAULT_PIPELINE.stages.filter((s) => s.name === 'development' || s.kind === 'check');
  const story = new Story({ pipeline: { stages } });
  story.run('passed', 1);
  const answer = (backoff?: { baseMs: number; maxMs: number }): number => {
    const { phase } = story.state;
    if (phase.kind !== 'check') throw new Error(phase.kind);
    const news = { kind: 'verdict' as const, verdict: verdict('red'), ...(backoff === undefined ? {} : { backoff }) };
    story.on({ type: 'checkAnswered', ask: phase.ask, answer: news });
    return (deadline(story.state) ?? 0) - story.now;
  };
  answer();
  const waits = [answer()];
  for (let i = 0; i < 8; i += 1) waits.push((story.on({ type: 'tick' }, waits.at(-1)), answer()));
  expect(waits.map((ms) => ms / 1000)).toEqual([10, 10, 20, 40, 80, 160, 320, 600, 600]);
  story.on({ type: 'tick' }, waits.at(-1));
  expect(answer({ baseMs: 100, maxMs: 500 })).toBe(500);
});
