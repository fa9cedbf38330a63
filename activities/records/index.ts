/** The record activities: Postgres, and the messages that go with what was written there. */
import { taskName } from '../../domain/tasks.js';
import { transaction } from '../../store/db.js';
import { recordDecision } from '../../store/decisions.js';
import { appendEvent } from '../../store/events.js';
import { liveHosts } from '../../store/hosts.js';
import { dropJob, requestJob } from '../../store/jobs.js';
import { dependenciesNow } from '../../store/task-dependencies.js';
import { mirrorTask } from '../../store/task-mirror.js';
import type { RecordActivities } from '../../workflows/activities.js';
import { asActivities } from '../failure.js';
import { checkRecords } from './checks.js';
import { withDecider } from './decider.js';
import type { RecordDeps } from './deps.js';
import { queueRecords } from './queues.js';

/** All of RecordActivities, with errors as Temporal failures. */
export function createRecordActivities(deps: RecordDeps): RecordActivities {
  return asActivities<RecordActivities>({
    ...runRecords(deps),
    ...checkRecords(deps),
    ...queueRecords(deps),
  });
}

type RunRecords = Pick<
  RecordActivities,
  'dependencies' | 'mirrorTask' | 'requestRun' | 'dropRun' | 'recordDecision' | 'liveHost'
>;

function runRecords({ pool, client, settings }: RecordDeps): RunRecords {
  return {
    async mirrorTask(mirror) {
      await transaction(pool, (tx) => mirrorTask(tx, mirror));
    },

    async dependencies(repo, workItem, mirror) {
      return transaction(pool, async (tx) => {
        await mirrorTask(tx, mirror);
        return dependenciesNow(tx, repo, workItem);
      });
    },

    async requestRun(run, mirror) {
      return transaction(pool, async (tx) => {
        const answer = await requestJob(tx, run, settings.AGENT_STALE);
        await mirrorTask(tx, mirror);
        return answer;
      });
    },

    async dropRun(runId, reason) {
      await transaction(pool, (tx) => dropJob(tx, runId, reason, settings.AGENT_STALE));
    },

    async recordDecision(repo, workItem, generation, taken, intent, mirror, blob = null) {
      const decision = await withDecider({ pool, client }, { repo, workItem }, taken, intent);
      return transaction(pool, async (tx) => {
        const key = { repo, workItem, generation };
        const { created, decision: known } = await recordDecision(tx, key, decision, intent, blob);
        await mirrorTask(tx, mirror);
        if (!created) return known;
        const data = { type: 'decision', generation, intent, ...known };
        await appendEvent(tx, { kind: 'task', repo, subject: taskName(repo, workItem), data });
        return known;
      });
    },

    async liveHost(kind, prefer) {
      const live = (await liveHosts(pool, settings.AGENT_STALE)).map((h) => h.id);
      if (prefer !== null && live.includes(prefer)) return { host: prefer };
      // Git stays where its cache is warm; checks spread.
      const index = kind === 'git' ? 0 : Math.floor(Math.random() * live.length);
      return { host: live[index] ?? null };
    },
  };
}
