/**
 * One verdict: the checks of a repository over one tree, run once for everybody who wants to know. The workflow's id is
 * the verdict key.
 *
 *     waiting for a host -> running -> green
 *                              |  red once -> running again -> green (flaky) or red
 *                              |  fault (timeout, lost host, error of the forge's CI) -> backoff -> running again; too many -> fault
 *
 * Where some checks are external, that is the way of each step in turn, and a green step is followed by the next one.
 * What the forge calls red is not asked for again: it would say the same of the same commit.
 *
 * Whoever waits says so (`subscribe`) and may stop waiting (`unsubscribe`). When the last one has, what runs is ended at
 * once and the workflow with it, without a verdict; one that comes meanwhile begins it anew. One that is left keeps it.
 *
 * A verdict is stored before it is told; the first green or red stays. A fault says nothing about the tree: it makes
 * room for the next one, and whoever still wants a verdict asks again.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { checkedCommit, type CheckStep } from '../domain/checks/external.js';
import type { CheckRunResult, Verdict } from '../domain/checks/types.js';
import type { CheckInput } from './activities.js';
import { externalCheck } from './external-check.js';
import { reasonOf } from './failures.js';
import { checkRunId } from './ids.js';
import { checkSettled, statusNews, subscribe, unsubscribe } from './messages.js';
import { onHost } from './on-host.js';
import { checkOn, gitOn, records } from './proxies.js';
import { SignalboxRepo } from './search-attributes.js';
import { hear } from './signals.js';

const UNWANTED = 'nobody waits for the verdict any more';
/** Nobody asks what checks that are given up make of it. */
const GRACE_MS = 1000;

/** Ends with the verdict it told; null when it was given up. */
export async function check(input: CheckInput): Promise<Verdict | null> {
  const { queuePrefix, settings } = input;
  const waiting = new Set(input.subscribers);
  const runs: CheckRunResult[] = [];
  let working = new CancellationScope();
  /** What runs on the host now. */
  let running: string | null = null;
  hear(subscribe, ({ workflowId }) => void waiting.add(workflowId));
  hear(unsubscribe, ({ workflowId }) => {
    if (waiting.delete(workflowId) && waiting.size === 0) working.cancel();
  });
  hear(statusNews, ({ id }) => {
    if (id === checkedCommit(input.source)) news += 1;
  });
  upsertSearchAttributes([{ key: SignalboxRepo, value: input.repo }]);
  let faults = 0;
  let host: string | null = null;
  let news = 0;
  /** A check ref is on the remote, for all we know. */
  let put = false;

  const backoff = (n: number): number => Math.min(settings.backoffBase * 2 ** n, settings.backoffMax);

  function show(now: string): void {
    const past = runs.map((r, i) => `${i + 1}. ${r.kind}${r.kind === 'fault' ? `: ${r.reason}` : ''}`);
    setCurrentDetails([`**${now}**`, `${describe(input)}, tree \`${input.tree}\``, ...past].join('\n\n'));
  }

  /** A live host; waits for one as long as it takes. */
  async function findHost(): Promise<string> {
    for (let n = 1; ; n += 1) {
      const answer = await records(queuePrefix, 'a live host for checks').liveHost('check', host);
      if (answer.host !== null) return answer.host;
      show('waiting for a live host');
      if (workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        put = false; // the next run goes on with it
        await continueAsNew<typeof check>({ ...input, subscribers: [...waiting] });
      }
      await sleep(backoff(n), { summary: 'no live host for checks' });
    }
  }

  /** One run of a step; null when its host was lost. */
  async function runOn(on: string, step: CheckStep | null): Promise<CheckRunResult | null> {
    if (step?.kind === 'external') {
      put = true;
      return externalCheck({ input, host: on, news: () => news, show }, step.check);
    }
    const wanted = step === null ? input : { ...input, checks: step.checks };
    const attempt = runs.length + 1;
    running = checkRunId(input.key, workflowInfo().runId, attempt);
    const result = await onHost(queuePrefix, on, settings.hostStale, () =>
      checkOn(queuePrefix, on, describe(input)).runCheck(wanted, attempt),
    );
    running = null;
    return result?.kind === 'failed' ? { kind: 'fault', reason: result.reason } : result;
  }

  /** Runs a step until there is a green or a red, or too many faults. */
  async function settled(step: CheckStep | null): Promise<CheckRunResult> {
    for (;;) {
      host = await findHost();
      show(`running on ${host}`);
      const result = await runOn(host, step);
      if (result === null) continue;
      runs.push(result);
      if (result.kind !== 'fault') return result;
      faults += 1;
      if (faults >= settings.maxAttempts) return result;
      show('backing off after a fault');
      await sleep(backoff(faults), { summary: `fault ${faults}: ${result.reason}`.slice(0, 200) });
    }
  }

  /** One red of ours does not count until it is red again. */
  async function outcomeOf(step: CheckStep | null): Promise<{ last: CheckRunResult; again: boolean }> {
    const first = await settled(step);
    if (first.kind !== 'red' || step?.kind === 'external') return { last: first, again: false };
    show('red; running once more');
    return { last: await settled(step), again: true };
  }

  async function allSteps(): Promise<{ last: CheckRunResult; flaky: boolean }> {
    let flaky = false;
    let last: CheckRunResult = { kind: 'green', seconds: 0 };
    for (const step of input.steps ?? [null]) {
      const outcome = await outcomeOf(step);
      last = outcome.last;
      if (last.kind !== 'green') break;
      flaky ||= outcome.again;
    }
    return { last, flaky: flaky && last.kind === 'green' };
  }

  /** The check ref is no more than a way to the verdict. */
  async function takeAway(): Promise<void> {
    if (!put || host === null) return;
    put = false;
    const on = host;
    try {
      await CancellationScope.nonCancellable(() =>
        gitOn(queuePrefix, on, 'take the check ref away', 'best-effort').dropExternalChecks(input),
      );
    } catch (err) {
      log.warn('a check ref stays on the remote', { reason: reasonOf(err) });
    }
  }

  /** Ends what runs; the row says that it was given up. */
  async function giveUp(): Promise<void> {
    show(UNWANTED);
    const [on, runId] = [host, running];
    if (on !== null && runId !== null) {
      const stop = () => gitOn(queuePrefix, on, 'end unwanted checks', 'stop').stopRun(runId, UNWANTED, GRACE_MS);
      await onHost(queuePrefix, on, settings.hostStale, stop);
      running = null;
      // The next execution has another id.
      runs.push({ kind: 'fault', reason: UNWANTED });
    }
    await takeAway();
    if (waiting.size === 0) await records(queuePrefix, UNWANTED).dropCheck(workflowInfo().workflowId, UNWANTED);
  }

  /** What all steps come to; null when nobody wants to know. */
  async function wanted(): Promise<Awaited<ReturnType<typeof allSteps>> | null> {
    for (;;) {
      try {
        return await working.run(allSteps);
      } catch (err) {
        // A request to cancel the workflow itself is another matter.
        const given = working.consideredCancelled && !CancellationScope.current().consideredCancelled;
        if (!given || !isCancellation(err)) throw err;
      }
      await giveUp();
      if (waiting.size === 0 && allHandlersFinished()) return null;
      working = new CancellationScope();
    }
  }

  async function settle(): Promise<Verdict | null> {
    const outcome = await wanted();
    if (outcome === null) return null;
    const { last, flaky } = outcome;
    const verdict = await records(queuePrefix, `record ${last.kind}`).recordVerdict(
      {
        key: input.key,
        repo: input.repo,
        tree: input.tree,
        configHash: input.configHash,
        verdict: last.kind,
        failed: last.kind === 'red' ? last.failed : null,
        flaky,
        reason: last.kind === 'fault' ? last.reason : null,
        at: new Date(Date.now()).toISOString(),
      },
      runs,
    );
    show(verdict.flaky ? 'green on the second run (flaky)' : verdict.verdict);

    await tellAll(verdict);
    return verdict;
  }

  /** Whoever subscribes while others are told is told as well. */
  async function tellAll(verdict: Verdict): Promise<void> {
    while (waiting.size > 0 || !allHandlersFinished()) {
      const next = [...waiting];
      waiting.clear();
      await Promise.all(next.map((workflowId) => tell(workflowId, verdict)));
    }
  }

  let verdict: Verdict | null;
  try {
    verdict = await settle();
  } finally {
    await takeAway();
  }
  if (verdict !== null) await tellAll(verdict);
  return verdict;
}

async function tell(workflowId: string, verdict: Verdict): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(checkSettled, { id: verdict.key, verdict });
  } catch {
    // Closed or gone: nobody there wants it any more, and the verdict is in its row.
  }
}

function describe(input: CheckInput): string {
  const { source } = input;
  if (source.kind === 'plan') return `${source.plan.entry.task} on ${source.plan.entry.base}`;
  return source.kind === 'head' ? `head of ${source.workItem}` : `${source.branch} itself`;
}
