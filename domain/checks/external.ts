/**
 * Checks that the forge gives the verdict of, beside those we run: the steps of a verdict in the configured order, what
 * a status that was read means, and how long to wait before the next look.
 */
import type { StatusReading } from '../forges.js';
import { tailOf } from './run-result.js';
import type { CheckConfig, CheckRunResult, CheckSource, ExternalCheck } from './types.js';

/** Commands that follow one another are one run. */
export type CheckStep = { kind: 'commands'; checks: string[] } | { kind: 'external'; check: ExternalCheck };

/** Null where all are commands: then they are one run, as ever. */
export function stepsOf(checks: readonly CheckConfig[]): CheckStep[] | null {
  const steps: CheckStep[] = [];
  for (const check of checks) {
    const last = steps.at(-1);
    if (check.kind === 'external') steps.push({ kind: 'external', check });
    else if (last?.kind === 'commands') last.checks.push(check.name);
    else steps.push({ kind: 'commands', checks: [check.name] });
  }
  return steps.some((step) => step.kind === 'external') ? steps : null;
}

/** All checks that the steps are made of, in their order. */
export const namesOf = (steps: readonly CheckStep[]): string[] =>
  steps.flatMap((step) => (step.kind === 'external' ? [step.check.name] : step.checks));

/** Name of the ref below refs/heads/signalbox/check/: the entry whose plan it is, else the verdict's own id. */
export const checkRefName = (source: CheckSource, own: string): string =>
  source.kind === 'plan' ? source.plan.entry.entry : own;

/** The commit that the forge is to speak of. */
export const checkedCommit = (source: CheckSource): string =>
  source.kind === 'plan' ? source.plan.commit : source.commit;

/** A tenth of what it took so far, so that a long wait costs few looks and its end is seen soon all the same. */
export function untilNextLook(elapsed: number, backoff: { backoffBase: number; backoffMax: number }): number {
  return Math.min(Math.max(backoff.backoffBase, elapsed / 10), backoff.backoffMax);
}

/** What a reading comes to; null while there is nothing to say yet. Only a `failure` is a red. */
export function externalResult(check: ExternalCheck, reading: StatusReading, seconds: number): CheckRunResult | null {
  switch (reading.state) {
    case 'absent':
    case 'pending':
      return null;
    case 'success':
      return { kind: 'green', seconds };
    case 'error': // the CI's own trouble, which says nothing of the content
    case 'lost':
      return { kind: 'fault', reason: `the forge ended ${check.context} without a verdict: ${reading.description}` };
    case 'failure': {
      const said = [`${check.context}: ${reading.state}`, reading.description, reading.url ?? ''];
      const tail = tailOf(said.filter((line) => line !== '').join('\n'));
      return { kind: 'red', seconds, failed: { name: check.name, command: [], exitCode: null, tail } };
    }
  }
}

/** For people: what was seen last. */
export function readingText(reading: StatusReading): string {
  if (reading.state === 'absent') return 'nothing said yet';
  return reading.description === '' ? reading.state : `${reading.state}: ${reading.description}`;
}
