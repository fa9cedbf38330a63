/**
 * One verdict: the checks of a repository over one tree, run once for everybody who wants to know. The workflow's id is
 * the verdict key.
 *
 *     waiting for a host -> running -> green
 *                              |  red once -> running again -> green (flaky) or red
 *                              |  fault (timeout, lost host) -> backoff -> running again; too many -> fault
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
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { CheckRunResult, Verdict } from '../domain/checks/types.js';
import type { CheckInput } from './activities.js';
import { reasonOf } from './failures.js';
import { checkSettled, subscribe } from './messages.js';
import { checkOn, records } from './proxies.js';
import { SignalboxRepo } from './search-attributes.js';
import { hear } from './signals.js';

/** Ends with the verdict it told. */
export async function check(input: CheckInput): Promise<Verdict> {
  const { queuePrefix, settings } = input;
  const waiting = new Set(input.subscribers);
  const runs: CheckRunResult[] = [];
  hear(subscribe, ({ workflowId }) => void waiting.add(workflowId));
  upsertSearchAttributes([{ key: SignalboxRepo, value: input.repo }]);
  let faults = 0;
  let host: string | null = null;

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
        await continueAsNew<typeof check>({ ...input, subscribers: [...waiting] });
      }
      await sleep(backoff(n), { summary: 'no live host for checks' });
    }
  }

  /** One run; null when its host was lost, which is nobody's fault. */
  async function runOn(on: string, attempt: number): Promise<CheckRunResult | null> {
    const scope = new CancellationScope();
    const outcome: { result: CheckRunResult | null } = { result: null };
    void scope.run(async () => {
      try {
        outcome.result = await checkOn(queuePrefix, on, describe(input)).runCheck(input, attempt);
      } catch (err) {
        outcome.result = { kind: 'fault', reason: reasonOf(err) };
      }
    });
    // Ever rarer, so that a long check costs few looks; a lost host is found before its time has doubled.
    for (let patience = settings.hostStale; ; patience *= 2) {
      if (await condition(() => outcome.result !== null, patience, { summary: `does ${on} still live?` })) break;
      const answer = await records(queuePrefix, `does ${on} still live?`).liveHost('check', on);
      if (outcome.result !== null || answer.host === null || answer.host === on) continue;
      scope.cancel();
      return null;
    }
    return outcome.result;
  }

  /** Runs until there is a green or a red, or too many faults. */
  async function settled(): Promise<CheckRunResult> {
    for (;;) {
      host = await findHost();
      show(`running on ${host}`);
      const result = await runOn(host, runs.length + 1);
      if (result === null) continue;
      runs.push(result);
      if (result.kind !== 'fault') return result;
      faults += 1;
      if (faults >= settings.maxAttempts) return result;
      show('backing off after a fault');
      await sleep(backoff(faults), { summary: `fault ${faults}: ${result.reason}`.slice(0, 200) });
    }
  }

  let last = await settled();
  const first = last;
  // One red does not count until it is red again.
  if (first.kind === 'red') {
    show('red; running once more');
    last = await settled();
  }

  const verdict = await records(queuePrefix, `record ${last.kind}`).recordVerdict(
    {
      key: input.key,
      repo: input.repo,
      tree: input.tree,
      configHash: input.configHash,
      verdict: last.kind,
      failed: last.kind === 'red' ? last.failed : null,
      flaky: first.kind === 'red' && last.kind === 'green',
      reason: last.kind === 'fault' ? last.reason : null,
      at: new Date(Date.now()).toISOString(),
    },
    runs,
  );
  show(verdict.flaky ? 'green on the second run (flaky)' : verdict.verdict);

  // Whoever subscribes while others are told is told as well.
  while (waiting.size > 0 || !allHandlersFinished()) {
    const next = [...waiting];
    waiting.clear();
    await Promise.all(next.map((workflowId) => tell(workflowId, verdict)));
  }
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
