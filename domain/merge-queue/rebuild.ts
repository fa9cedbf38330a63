/** What a lost store can have back from git: the records of landings, and which names of tasks were used. */
import type { AuditedLanding } from './audit-types.js';
import { identSeconds } from './commit.js';
import type { Landing } from './types.js';

/** What the remote says about the landings on a base branch. */
export interface FoundLandings {
  /** In base, each the same when made again from its parts, or with a head that is gone; oldest first. */
  landings: AuditedLanding[];
  /** The audit can begin after this commit: the base of the first landing, or the adoption where that is older. */
  from: string;
  /** Work items that are used: of all that ever landed here, and of heads that never did. */
  workItems: string[];
}

export interface RebuiltRow {
  workItem: string;
  landing: Landing;
}

/**
 * The rows of these landings. Of several of one entry, or of one task in one generation, the first: one of each is all
 * that the store takes, and the audit tells of the others.
 */
export function rebuiltRows(repo: string, landings: readonly AuditedLanding[]): RebuiltRow[] {
  const seen = new Set<string>();
  const rows: RebuiltRow[] = [];
  for (const { commit, facts } of landings) {
    const { entry, task, generation, head, plan, baseOid } = facts;
    const keys = [`entry ${entry}`, `task ${generation} ${task}`];
    if (!task.startsWith(`${repo}/`) || keys.some((key) => seen.has(key))) continue;
    for (const key of keys) seen.add(key);
    rows.push({
      workItem: task.slice(repo.length + 1),
      landing: {
        ...{ entry, task, generation, head, plan, base: baseOid, commit: commit.oid, tree: commit.tree },
        at: new Date(identSeconds(commit.committer) * 1000).toISOString(),
        verdict: 'unknown',
      },
    });
  }
  return rows;
}

/** `ET-012` → 12 of `ET`: the highest of each prefix. What is no name of a task counts for nothing. */
export function highestNumbers(workItems: readonly string[]): Map<string, number> {
  const highest = new Map<string, number>();
  for (const name of workItems) {
    const [, prefix, digits] = /^([A-Z][A-Z0-9]{0,15})-(\d{1,9})$/.exec(name) ?? [];
    if (prefix === undefined || digits === undefined) continue;
    highest.set(prefix, Math.max(highest.get(prefix) ?? 0, Number(digits)));
  }
  return highest;
}
