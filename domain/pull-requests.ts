/** What the pull request of a task says, and the status on its head: pictures of the task, made from it alone. */
import type { StatusState } from './forges.js';
import type { MergeOutcome } from './merge-queue/types.js';
import { taskName, type Landed, type TaskStateName, type Waiting } from './tasks.js';

/** The branch that a pull request is made of. */
export const pullRequestBranch = (workItem: string): string => `signalbox/${workItem}`;

/** The name of our own status. */
export const STATUS_CONTEXT = 'signalbox';

export interface PullRequestTask {
  repo: string;
  workItem: string;
  title: string;
  description: string;
  state: TaskStateName;
  stage: string;
  waitingOn: Pick<Waiting, 'kind'> | null;
  landed: Landed | null;
  endReason: string | null;
}

const LONGEST = 40_000;

export function pullRequestText(task: PullRequestTask, base: string): { title: string; body: string } {
  const { description } = task;
  const said = description.length > LONGEST ? `${description.slice(0, LONGEST)}\n\n…` : description;
  const where =
    task.landed === null
      ? `Stage: \`${task.stage}\` (${task.state})`
      : `Landed on \`${base}\` as ${task.landed.commit}, checked on ${task.landed.base}`;
  const lines = [
    `Task \`${taskName(task.repo, task.workItem)}\` of Signalbox, which lands it by itself: no need to merge it here.`,
    where,
  ];
  const body = [...(said.trim() === '' ? [] : [said.trimEnd(), '---']), ...lines].join('\n\n');
  return { title: Array.from(`${task.workItem}: ${task.title}`).slice(0, 250).join(''), body };
}

/**
 * The status of the head: of its entry in the merge queue where there is one, else of the task.
 *
 * @param entry of this head; `outcome` null = still in the queue; null = there is none
 */
export function headStatus(
  task: PullRequestTask,
  base: string,
  entry: { outcome: MergeOutcome | null } | null,
): { state: StatusState; description: string } {
  const say = (state: StatusState, description: string) => ({ state, description });
  if (task.landed !== null) return say('success', `landed on ${base} as ${task.landed.commit.slice(0, 12)}`);
  if (task.state === 'cancelled' || task.state === 'failed') return say('failure', task.endReason ?? task.state);
  if (entry === null) return say('pending', now(task));
  const { outcome } = entry;
  if (outcome === null) return say('pending', `in the merge queue of ${base}`);
  switch (outcome.kind) {
    case 'landed':
      return say('success', `landed on ${base} as ${outcome.landing.commit.slice(0, 12)}`);
    case 'contained':
      return say('success', `${base} has it already`);
    case 'conflict':
      return say('failure', `conflicts with ${base}: ${outcome.conflict.paths.join(', ')}`);
    case 'red':
      return say('failure', outcome.failed === null ? 'the checks are red' : `the check ${outcome.failed.name} is red`);
    case 'refused':
      return say('failure', `refused: ${outcome.reason}`);
    case 'withdrawn':
      return say('pending', now(task));
  }
}

/**
 * What the end of the task makes of its pull request; null = it stays as it is. Work that base had already was never
 * landed, so there is no landing to call it merged by; a pipeline without a merge stage leaves it to people.
 *
 * @param entry of its head
 */
export function endOfPullRequest(
  { landed, state }: Pick<PullRequestTask, 'landed' | 'state'>,
  entry: { outcome: MergeOutcome | null } | null,
): 'merged' | 'closed' | null {
  if (landed !== null) return 'merged';
  if (state === 'cancelled') return 'closed';
  return state === 'done' && entry?.outcome?.kind === 'contained' ? 'closed' : null;
}

const now = ({ stage, waitingOn }: PullRequestTask): string =>
  waitingOn === null ? stage : `${stage}: waits for ${waitingOn.kind}`;
