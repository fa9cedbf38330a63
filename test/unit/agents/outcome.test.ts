import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExitRecord } from '../../../domain/agents/exit.js';
import { decideOutcome, type RunFacts } from '../../../domain/agents/outcome.js';

const ended = (more: Partial<ExitRecord> = {}): ExitRecord => ({
  proof: '',
  mac: '',
  startedAt: '',
  at: '',
  phase: 'commands',
  trouble: null,
  setup: { end: 'none', code: null, seconds: 0 },
  commands: [{ name: 'agent', code: 0, signal: null, spawnError: null, limit: null, logFrom: 0, seconds: 1 }],
  code: 0,
  signal: null,
  limit: null,
  stoppedBy: null,
  stopReason: null,
  outputBytes: 0,
  outputTruncated: false,
  cutLines: 0,
  result: 'absent',
  resultHash: null,
  resultError: null,
  leftoversCommitted: false,
  leftoversError: null,
  survivors: 0,
  ...more,
});
const facts = (exit: Partial<ExitRecord> = {}, more: Partial<RunFacts> = {}): RunFacts => ({
  exit: ended(exit),
  resultText: null,
  commitsMode: 'optional',
  commits: 1,
  refused: null,
  document: null,
  printed: '',
  ...more,
});
const outcome = (exit: Partial<ExitRecord> = {}, more: Partial<RunFacts> = {}) =>
  decideOutcome(facts(exit, more)).outcome;
const says = (result: object): Partial<RunFacts> => ({ resultText: JSON.stringify(result) });

describe('what a run came to', () => {
  it('is the verdict of the result file after exit 0, else pass', () => {
    expect(outcome()).toEqual({ kind: 'passed', summary: null });
    expect(outcome({}, says({ verdict: 'fail', summary: 'no' }))).toEqual({ kind: 'failed', summary: 'no' });
    expect(outcome({}, says({ verdict: 'needs_human', question: 'Which?' }))).toMatchObject({
      kind: 'needs-human',
      question: 'Which?',
    });
  });

  it('is transient after exit 75, with a retry time that counts', () => {
    expect(outcome({ code: 75 }, says({ retryAfterSeconds: 30 }))).toMatchObject({
      kind: 'transient',
      failureClass: 'transient',
      retryAfterSeconds: 30,
    });
    expect(outcome({ code: 75 }, says({ retryAfterSeconds: -3 }))).toMatchObject({ retryAfterSeconds: null });
    expect(outcome({ code: 75 }, { resultText: '{broken' })).toMatchObject({ kind: 'transient' });
  });

  it.each<[string, Partial<ExitRecord>, Partial<RunFacts>]>([
    ['exit-code', { code: 1 }, says({ verdict: 'pass' })],
    ['signal', { code: null, signal: 'SIGKILL' }, {}],
    ['wall-limit', { limit: 'wall', code: null, signal: 'SIGTERM' }, {}],
    ['stall-limit', { limit: 'stall', code: 0 }, {}],
    ['bad-result', {}, { resultText: 'pass' }],
    ['bad-result', { result: 'refused', resultError: 'a link' }, {}],
    ['setup-failed', { phase: 'setup', commands: [], code: null, setup: { end: 'failed', code: 1, seconds: 1 } }, {}],
    ['no-commit', {}, { commitsMode: 'required', commits: 0 }],
    ['no-document', {}, { document: { path: 'docs/a.md', written: false } }],
    ['refused-import', {}, { refused: 'forged trailer', commits: null }],
  ])('is the fault %s', (failureClass, exit, more) => {
    expect(outcome(exit, more)).toMatchObject({ kind: 'fault', failureClass });
  });

  it('says with what it ended what was printed last, where that is why', () => {
    const printed = 'starting\n\u001b[31mboom\u001b[0m: no API key\n';
    const said = '; its last lines:\n    starting\n    boom: no API key';
    const reason = (exit: Partial<ExitRecord>, more: Partial<RunFacts> = {}): string => {
      const made = outcome(exit, { printed, ...more });
      return 'reason' in made ? made.reason : made.kind;
    };
    expect(reason({ code: 1 })).toBe(`the agent ended with exit code 1${said}`);
    expect(reason({ code: null, signal: 'SIGSEGV' })).toContain(said);
    expect(reason({ limit: 'stall' })).toContain(said);
    expect(reason({ code: 75 })).toContain(said);
    expect(reason({ setup: { end: 'failed', code: 4, seconds: 1 } })).toBe(`setup ended with 4${said}`);
    expect(reason({}, { commitsMode: 'required', commits: 0 })).toContain(said);
    expect(reason({}, { refused: 'a link' })).toBe('a link');
    expect(reason({ code: 1 }, { printed: '' })).toBe('the agent ended with exit code 1');
    expect(reason({})).toBe('passed');
  });

  it('needs no commit of an agent that asks or gives up, and judges nothing of a stage that may not commit', () => {
    const none: Partial<RunFacts> = { commitsMode: 'required', commits: 0 };
    expect(outcome({}, { ...none, ...says({ verdict: 'needs_human', question: '?' }) }).kind).toBe('needs-human');
    expect(outcome({}, { ...none, ...says({ verdict: 'fail' }) }).kind).toBe('failed');
    const missing: Partial<RunFacts> = { document: { path: 'docs/a.md', written: false } };
    expect(outcome({}, { ...missing, ...says({ verdict: 'needs_human', question: '?' }) }).kind).toBe('needs-human');
    expect(outcome({}, missing)).toMatchObject({ reason: expect.stringContaining('docs/a.md') as string });
    expect(outcome({}, { document: { path: 'docs/a.md', written: true } }).kind).toBe('passed');
    expect(outcome({}, { commitsMode: 'forbidden', refused: 'a link' }).kind).toBe('passed');
  });

  it('is never a fault when we or the host ended it, or when its clone was not usable', () => {
    expect(outcome({ stoppedBy: 'request', stopReason: 'cancelled', signal: 'SIGTERM', code: null })).toEqual({
      kind: 'stopped',
      reason: 'cancelled',
    });
    expect(outcome({ stoppedBy: 'host' })).toMatchObject({ kind: 'transient', failureClass: 'host-lost' });
    expect(outcome({ phase: 'refresh', trouble: 'no .git', commands: [] })).toMatchObject({ kind: 'transient' });
  });

  it('passes only what ended with 0, by itself, within its limits', () => {
    const codes = fc.option(fc.constantFrom(0, 1, 75, 137));
    fc.assert(
      fc.property(
        codes,
        fc.option(fc.constantFrom('SIGTERM', 'SIGKILL')),
        fc.option(fc.constantFrom('wall' as const, 'stall' as const)),
        fc.option(fc.constantFrom('request' as const, 'host' as const)),
        fc.option(fc.oneof(fc.string(), fc.constantFrom('{"verdict":"pass"}', '{"verdict":"fail"}'))),
        fc.constantFrom('required' as const, 'optional' as const, 'forbidden' as const),
        fc.nat(2),
        (code, signal, limit, stoppedBy, resultText, commitsMode, commits) => {
          const made = outcome({ code, signal, limit, stoppedBy }, { resultText, commitsMode, commits });
          if (made.kind !== 'passed') return;
          expect({ code, signal, limit, stoppedBy }).toEqual({ code: 0, signal: null, limit: null, stoppedBy: null });
          if (commitsMode === 'required') expect(commits).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('keeps what the agent used, also of a run that failed', () => {
    expect(decideOutcome(facts({ code: 1 }, says({ usage: { costUsd: 2 } }))).usage).toMatchObject({ costUsd: 2 });
  });
});
