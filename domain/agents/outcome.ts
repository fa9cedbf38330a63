/**
 * What a run came to. In this order of trust:
 *
 *   1. our own mark: it was stopped, or its host ended        → stopped, transient (host-lost)
 *   2. what happened before the agent: clone, setup           → transient, or fault (setup-failed)
 *   3. limits that the supervisor enforced                    → fault (wall-limit, stall-limit)
 *   4. the exit code                                          → 75 transient, other than 0 fault
 *   5. the result file's shape                                → fault (bad-result)
 *   6. what git says: refused import, no commit, no document  → fault (refused-import, no-commit, no-document)
 *   7. the agent's own verdict                                → passed, failed, needs-human
 *
 * Only `fault` spends the attempt budget. A `failed` is a judgement that the pipeline acts on, not a fault by itself.
 */
import { withLastLines } from '../plain-text.js';
import type { ExitRecord } from './exit.js';
import { retryFloorSeconds } from './backoff.js';
import { parseResult, type AgentResult } from './result-file.js';
import type { FailureClass, RunOutcome, Usage } from './types.js';

/** sysexits.h EX_TEMPFAIL: try again later. */
export const EXIT_TRANSIENT = 75;

export interface RunFacts {
  exit: ExitRecord;
  /** Text of the result file the supervisor took over; null if there was none. */
  resultText: string | null;
  commitsMode: 'required' | 'optional' | 'forbidden';
  /** Commits the branch has beyond where the stage began; null when nothing was imported. */
  commits: number | null;
  /** Why the branch was refused at import, or null. */
  refused: string | null;
  /** The document that the stage must write; null = none, or the stage may not commit. */
  document: { path: string; written: boolean } | null;
  /** End of what it printed last, without secrets: of the setup where that failed, else of the agent. */
  printed: string;
}

/** The outcome, and what the agent said it used: known even of runs that failed. */
export function decideOutcome(facts: RunFacts): { outcome: RunOutcome; usage: Usage | null } {
  const parsed = parseResult(facts.resultText);
  const result = parsed.ok ? parsed.result : null;
  const outcome =
    beforeTheAgent(facts) ??
    ofTheProcess(facts, result) ??
    ofTheResult(facts.exit, parsed.ok ? null : parsed.reason) ??
    ofTheBranch(facts, result) ??
    ofTheVerdict(result);
  return { outcome, usage: result?.usage ?? null };
}

/** The outcome of a run whose supervisor is gone. */
export const lostOutcome = (reason: string): RunOutcome => transient('host-lost', reason, null);

/** The outcome of a run whose supervisor did not enforce its limits. */
export const overdueOutcome = (): RunOutcome =>
  fault('wall-limit', 'the agent reached its wall clock limit, and its supervisor was held up', null);

function beforeTheAgent({ exit, printed }: RunFacts): RunOutcome | null {
  if (exit.stoppedBy === 'request') return { kind: 'stopped', reason: exit.stopReason ?? 'stopped' };
  if (exit.stoppedBy === 'host') return lostOutcome('the host ended while the agent was running');
  if (exit.phase === 'refresh') return lostOutcome(`the clone could not be used: ${exit.trouble ?? 'unknown reason'}`);
  if (exit.trouble !== null) return lostOutcome(`the supervisor failed: ${exit.trouble}`);
  const { end, code } = exit.setup;
  if (end === 'timeout') return transient('host-lost', 'setup did not end in time', null);
  if (end === 'failed') {
    return fault('setup-failed', withLastLines(`setup ended with ${code ?? 'a signal'}`, printed), null);
  }
  return null;
}

function ofTheProcess({ exit, printed }: RunFacts, result: AgentResult | null): RunOutcome | null {
  const summary = result?.summary ?? null;
  const command = exit.commands.at(-1);
  const said = (reason: string): string => withLastLines(reason, printed);
  if (command === undefined) return lostOutcome('the agent was not started');
  if (exit.limit === 'wall') return fault('wall-limit', said('the agent reached its wall clock limit'), summary);
  if (exit.limit === 'stall')
    return fault('stall-limit', said('the agent was silent for longer than allowed'), summary);
  if (command.spawnError !== null) {
    return fault('exit-code', `the agent's command could not be started (${command.spawnError})`, null);
  }
  if (exit.code === EXIT_TRANSIENT) {
    const reason = result?.summary ?? said('the agent asked to be tried again later (exit 75)');
    return transient('transient', reason, retryFloorSeconds(result?.retryAfterSeconds));
  }
  if (exit.signal !== null) return fault('signal', said(`the agent was ended by ${exit.signal}`), summary);
  if (exit.code !== 0) {
    return fault('exit-code', said(`the agent ended with exit code ${exit.code ?? 'unknown'}`), summary);
  }
  return null;
}

function ofTheResult(exit: ExitRecord, malformed: string | null): RunOutcome | null {
  const reason = exit.result === 'refused' ? (exit.resultError ?? 'the result file was refused') : malformed;
  return reason === null ? null : fault('bad-result', reason, null);
}

/** An agent that asks a person, or gives up, need not have a commit to show. */
function ofTheBranch(facts: RunFacts, result: AgentResult | null): RunOutcome | null {
  const summary = result?.summary ?? null;
  if (facts.commitsMode === 'forbidden') return null;
  if (facts.refused !== null) return fault('refused-import', facts.refused, summary);
  const says = result?.verdict ?? 'pass';
  if (facts.commitsMode === 'required' && says === 'pass' && (facts.commits ?? 0) === 0) {
    return fault('no-commit', withLastLines(noCommitReason(facts.exit), facts.printed), summary);
  }
  if (says === 'pass' && facts.document !== null && !facts.document.written) {
    return fault('no-document', `the stage must write ${facts.document.path}, which is not in its branch`, summary);
  }
  return null;
}

const noCommitReason = (exit: ExitRecord): string =>
  exit.leftoversError === null
    ? 'the agent added no commit'
    : `the agent added no commit, and what it left could not be committed: ${exit.leftoversError}`;

function ofTheVerdict(result: AgentResult | null): RunOutcome {
  const summary = result?.summary ?? null;
  switch (result?.verdict) {
    case 'fail':
      return { kind: 'failed', summary };
    case 'needs_human':
      return { kind: 'needs-human', question: result.question ?? summary ?? '', summary };
    case 'pass':
    case null:
    case undefined:
      return { kind: 'passed', summary };
  }
}

const fault = (failureClass: FailureClass, reason: string, summary: string | null): RunOutcome => ({
  kind: 'fault',
  failureClass,
  reason,
  summary,
});

const transient = (
  failureClass: 'transient' | 'host-lost',
  reason: string,
  retryAfterSeconds: number | null,
): RunOutcome => ({ kind: 'transient', failureClass, reason, retryAfterSeconds });
