/** The workflows under test, and one that stands for a task: it ends with the first thing it is told. */
import { condition, setHandler } from '@temporalio/workflow';
import type { Verdict } from '../../../domain/checks/types.js';
import type { MergeOutcome } from '../../../domain/merge-queue/types.js';
import { checkSettled, mergeSettled } from '../../../workflows/messages.js';

export { check } from '../../../workflows/check.js';
export { mergeQueue } from '../../../workflows/merge-queue.js';

export async function listener(): Promise<MergeOutcome | Verdict> {
  const heard: (MergeOutcome | Verdict)[] = [];
  setHandler(mergeSettled, ({ outcome }) => void heard.push(outcome));
  setHandler(checkSettled, ({ verdict }) => void heard.push(verdict));
  await condition(() => heard.length > 0);
  return heard[0] as MergeOutcome | Verdict;
}
