/** The mirrored picture of a task. An older picture never wins. */
import { auditedCancel, cancelledBy } from '../domain/pipeline/actor.js';
import { taskName, TERMINAL_STATES, type TaskMirror, type TaskStateName, type Waiting } from '../domain/tasks.js';
import { actorOfCancel } from './audit.js';
import { execute, json, queryOne, type Tx } from './db.js';
import { appendEvent } from './events.js';
import { wantPullRequest } from './pull-requests.js';
import { tellDependents } from './task-dependencies.js';
import { tellRepairEnded } from './merge-entries.js';
import { isNewer, pastRuns, type MirrorVersion } from './mirror-version.js';

interface MirrorRow extends MirrorVersion {
  generation: number;
  state: TaskStateName;
  stage: string;
  waitingOn: Waiting | null;
  head: string | null;
  landedAs: string | null;
  /** It is shown as a pull request. */
  asPullRequest: boolean | null;
}

/**
 * Writes the picture unless a newer one is there (false), and an event when state, stage or kind of wait changed.
 * Call it last in its transaction.
 */
export async function mirrorTask(tx: Tx, mirror: TaskMirror): Promise<boolean> {
  const { repo, workItem } = mirror;
  const stored = await queryOne<MirrorRow>(
    tx,
    `SELECT generation, state, stage, waiting_on AS "waitingOn", head, landed->>'commit' AS "landedAs", mirror_run AS "mirrorRun", mirror_seq AS "mirrorSeq",
            mirror_past AS "mirrorPast",
            (SELECT config->'merge'->>'strategy' = 'pr' FROM repos WHERE id = tasks.repo) AS "asPullRequest" FROM tasks WHERE repo = $1 AND work_item = $2 FOR UPDATE`,
    [repo, workItem],
  );
  if (stored === null || stored.generation !== mirror.generation || !isNewer(stored, mirror)) return false;
  const endReason = await namedEnd(tx, mirror);
  await execute(
    tx,
    `UPDATE tasks SET state = $3, stage = $4, agent_running = $5, head = $6, waiting_on = $7, landed = $8, counters = $9,
       human_seconds = $10, mirror_run = $11, mirror_seq = $12, mirror_past = $13, end_reason = $14,
       stack_base = $15,
       updated_at = CASE WHEN stage = $4 THEN updated_at ELSE now() END
     WHERE repo = $1 AND work_item = $2`,
    [
      ...[repo, workItem, mirror.state, mirror.stage, mirror.agentRunning, mirror.head, json(mirror.waitingOn)],
      ...[json(mirror.landed), json(mirror.counters), mirror.humanSeconds, mirror.runId, mirror.seq],
      pastRuns(stored, mirror.runId),
      endReason,
      mirror.stackBase ?? null,
    ],
  );
  const ended = mirror.state === 'cancelled' || mirror.state === 'failed';
  if (ended && stored.state !== mirror.state) await tellRepairEnded(tx, repo, workItem, mirror.generation);
  const before = [stored.state, stored.stage, stored.waitingOn?.kind ?? null];
  const after = [mirror.state, mirror.stage, mirror.waitingOn?.kind ?? null];
  const moved = before.some((value, i) => value !== after[i]);
  const shown = stored.head !== mirror.head || stored.landedAs !== (mirror.landed?.commit ?? null);
  if (stored.asPullRequest === true && (moved || shown)) await wantPullRequest(tx, repo, workItem);
  if (!moved) return true;
  const matters = TERMINAL_STATES.includes(mirror.state) || mirror.waitingOn?.kind === 'merge-queue';
  if (matters) await tellDependents(tx, repo, workItem, `${mirror.runId}.${mirror.seq}`);
  await tell(tx, { ...mirror, endReason });
  return true;
}

/** A workflow knows who cancelled by the audit row alone: the name is in that row, if it is a cancel of this task. */
async function namedEnd(tx: Tx, { repo, workItem, endReason = null }: TaskMirror): Promise<string | null> {
  const cancel = endReason === null ? null : auditedCancel(endReason);
  if (cancel === null) return endReason;
  const actor = await actorOfCancel(tx, cancel.row, taskName(repo, workItem));
  return actor === null ? endReason : cancelledBy(actor, cancel.reason);
}

async function tell(tx: Tx, mirror: TaskMirror): Promise<void> {
  await appendEvent(tx, {
    kind: 'task',
    repo: mirror.repo,
    subject: taskName(mirror.repo, mirror.workItem),
    data: {
      type: 'changed',
      ...{ generation: mirror.generation, state: mirror.state, stage: mirror.stage },
      ...{ waitingOn: mirror.waitingOn?.kind ?? null, code: mirror.waitingOn?.code ?? null },
      ...{
        detail: mirror.waitingOn?.detail ?? mirror.endReason ?? null,
        head: mirror.head,
        agentRunning: mirror.agentRunning,
      },
      landed: mirror.landed?.commit ?? null,
    },
  });
}
