/**
 * Keeps the pull request of a task as a picture of it, from the outbox: looks before it acts, and may be repeated or be
 * late. Nothing waits for it: what the forge does not take now is tried again, and the task says that it is behind.
 *
 *     a head          -> branch, pull request opened or changed, status of the head
 *     landed          -> the forge has called it merged by itself; else it is told so, or closed
 *     cancelled       -> closed; so is one whose work base had already
 *
 * One that somebody closed stays closed until there is another head.
 */
import { SignalboxError } from '../../domain/errors.js';
import {
  endOfPullRequest,
  headStatus,
  pullRequestBranch,
  pullRequestText,
  STATUS_CONTEXT,
} from '../../domain/pull-requests.js';
import type { Repo } from '../../domain/repos.js';
import { taskName, TERMINAL_STATES } from '../../domain/tasks.js';
import type { Pool } from '../../store/db.js';
import { entryOfHead, type MergeEntry } from '../../store/merge-entries.js';
import {
  claimBranch,
  getPullRequest,
  holdingPullRequest,
  notePullRequest,
  notePullRequestError,
  type PullRequestRow,
  type Shown,
} from '../../store/pull-requests.js';
import { getRepo } from '../../store/repos.js';
import { getTask, type Task } from '../../store/tasks.js';
import { contentId } from '../../workflows/ids.js';
import { followHead } from '../git/head-branch.js';
import type { GitHost } from '../git/host.js';
import { shortLine } from './calls.js';
import type { Forge, PullRequest } from './forge.js';
import { openForge } from './open.js';

/** How long a forge may take to see for itself that a landing merged a pull request, milliseconds. */
const SEES_BY_ITSELF = 20_000;

export interface PullRequestWish {
  repo: string;
  workItem: string;
  /** Of the change that is to be shown; a later one shows it as well. */
  version: number;
}

export type ShowPullRequest = (wish: PullRequestWish) => Promise<void>;

/** Throws when it is to be tried again later. */
export const showPullRequestBy =
  (host: GitHost, pool: Pool): ShowPullRequest =>
  async ({ repo: id, workItem, version }) => {
    const done = await holdingPullRequest(pool, id, workItem, async () => {
      const row = await getPullRequest(pool, id, workItem);
      // A later change has a wish of its own, which shows this one as well: only the newest is tried again.
      if (row === null || row.shown >= version || row.wanted > version) return true;
      const repo = await getRepo(pool, id);
      const task = await getTask(pool, id, workItem);
      if (repo === null || task === null) return true;
      try {
        await notePullRequest(pool, id, workItem, await show(host, pool, repo, task, row));
      } catch (err) {
        await notePullRequestError(pool, id, workItem, err instanceof Error ? err.message : String(err));
        throw err;
      }
      return true;
    });
    if (done === null) throw new SignalboxError('unavailable', `${taskName(id, workItem)} is being shown already`);
  };

async function show(host: GitHost, pool: Pool, repo: Repo, task: Task, row: PullRequestRow): Promise<Shown> {
  const asBefore: Shown = { ...row, shown: row.wanted };
  if (repo.config.merge.strategy !== 'pr' || task.head === null) return asBefore;
  const { forge } = await openForge(host.lookup, repo);
  const branch = pullRequestBranch(task.workItem);
  const entry = await entryOfHead(pool, task, task.head);
  const landing = landingState(task, entry);
  const live = landing !== 'over' && !TERMINAL_STATES.includes(task.state);
  // A head that is about to land may be on the branch rewritten already.
  const wish = { workItem: task.workItem, head: task.head, onlyMissing: landing === 'queued' };
  const followed = live ? await followHead(host, repo, wish, (...claim) => claimBranch(pool, ...claim)) : null;
  if (followed?.kind === 'refused') {
    throw new SignalboxError('forge-refused', `the remote refuses ${branch}: ${followed.reason}`);
  }
  if (followed?.kind === 'foreign') {
    const reason = `somebody else pushed ${followed.found} on ${branch}; it stays until the branch is deleted or moved to ${task.head}`;
    throw new SignalboxError('forge-refused', reason);
  }
  const found = await forge.findPullRequest(branch, repo.base);
  const text = pullRequestText(task, repo.base);
  const textHash = contentId(text.title, text.body);
  const pull =
    followed?.kind === 'there' && (found === null || (landing === null && isOver(found, task.head)))
      ? await forge.openPullRequest({ branch, base: repo.base, ...text })
      : found;
  if (pull === null) return { ...asBefore, number: null, url: null, state: null };
  // What people wrote there since stays, until we have something new to say.
  if (pull === found && row.textHash !== textHash) await forge.updatePullRequest(pull.number, text);
  await setStatuses(forge, repo, task, task.head, entry);
  const state = live ? pull.state : await settled(forge, task, entry, pull);
  return { shown: row.wanted, number: pull.number, url: pull.url, state, textHash };
}

/** `queued`: the head is in the merge queue; `over`: base has it; null = neither, so the branch is the task's own. */
function landingState(task: Task, entry: MergeEntry | null): 'queued' | 'over' | null {
  if (task.landed !== null) return 'over';
  if (entry === null) return null;
  if (entry.outcome === null) return 'queued';
  return entry.outcome.kind === 'landed' || entry.outcome.kind === 'contained' ? 'over' : null;
}

/** Closed or merged, and of another head. */
const isOver = (found: PullRequest, head: string): boolean => found.state !== 'open' && found.head !== head;

async function setStatuses(
  forge: Forge,
  repo: Repo,
  task: Task,
  head: string,
  entry: MergeEntry | null,
): Promise<void> {
  const { state, description } = headStatus(task, repo.base, entry);
  const status = { context: STATUS_CONTEXT, state, description: shortLine(description) };
  for (const sha of new Set([head, ...(task.landed === null ? [] : [task.landed.commit])])) {
    const reading = await forge.readStatus(sha, STATUS_CONTEXT);
    const same = reading.state === state && reading.description === status.description;
    if (!same) await forge.setStatus(sha, status);
  }
}

/** The task is over: so is its pull request. */
async function settled(
  forge: Forge,
  task: Task,
  entry: MergeEntry | null,
  pull: PullRequest,
): Promise<PullRequest['state']> {
  const end = endOfPullRequest(task, entry);
  if (pull.state !== 'open' || end === null) return pull.state;
  if (task.landed === null) {
    await forge.closePullRequest(pull.number);
    return 'closed';
  }
  if (await forge.markMerged(pull.number, task.landed.commit)) return 'merged';
  if (Date.now() - Date.parse(task.landed.at) < SEES_BY_ITSELF) {
    throw new SignalboxError('forge-infrastructure', `the forge has not seen yet that ${pull.url} is merged`);
  }
  await forge.closePullRequest(pull.number);
  return 'closed';
}
