/** What landing asks of Postgres, read at the moment of use: if it does not answer, nothing is published. */
import { approvalsNeeded } from '../../domain/pipeline/approvals.js';
import { decidedOn } from '../../store/decisions.js';
import { activeGates } from '../../store/gates.js';
import { findLandingByEntry, findLandingByGeneration, lastLanding } from '../../store/landings.js';
import { getEntry } from '../../store/merge-entries.js';
import { getRepo } from '../../store/repos.js';
import { getTask } from '../../store/tasks.js';
import { getVerdict } from '../../store/verdicts.js';
import { verdictKey } from '../../workflows/ids.js';
import type { Pool } from '../../store/db.js';
import type { LandingRecords } from './host.js';

export function landingRecords(pool: Pool): LandingRecords {
  return {
    repo: (id) => getRepo(pool, id),
    lastLanding: (repo, base) => lastLanding(pool, repo, base),
    landingOfEntry: (entry) => findLandingByEntry(pool, entry),
    landingOfTask: (repo, workItem, generation) => findLandingByGeneration(pool, repo, workItem, generation),
    activeGates: (repo) => activeGates(pool, repo),
    isFix: async (entry) => (await getEntry(pool, entry))?.edit.fix ?? false,
    async approvals({ repo, workItem }) {
      const task = await getTask(pool, repo, workItem);
      const needed = task === null ? [] : approvalsNeeded(task.pipeline, workItem);
      return { needed, decisions: needed.length === 0 ? [] : await decidedOn(pool, repo, workItem) };
    },
    verdictOf: async (tree, repo, hash) => (await getVerdict(pool, verdictKey(repo, tree, hash)))?.verdict ?? null,
    async unwanted(entry) {
      const settled = (await getEntry(pool, entry.entry))?.outcome ?? null;
      if (settled?.kind === 'withdrawn') return `withdrawn: ${settled.reason}`;
      const task = await getTask(pool, entry.repo, entry.workItem);
      if (task === null) return `there is no task ${entry.task}`;
      if (task.generation !== entry.generation) return `${entry.task} is in generation ${task.generation} now`;
      return task.state === 'cancelled' || task.state === 'failed' ? `${entry.task} is ${task.state}` : null;
    },
  };
}
