/** The audit of a base branch: asks the remote and the store, in an order in which landings may go on meanwhile. */
import { auditLandings } from '../domain/merge-queue/audit.js';
import type { AuditReport } from '../domain/merge-queue/audit-types.js';
import type { Repo } from '../domain/repos.js';
import { acceptedRewinds } from '../store/audit.js';
import { allLandings } from '../store/landings.js';
import { openEntriesOn } from '../store/merge-entries.js';
import { greenTrees } from '../store/verdicts.js';
import type { ApiDeps } from './deps.js';
import { refuse } from './refuse.js';

export async function auditBase(
  deps: ApiDeps,
  repo: Repo,
  { base, since, strict }: { base: string; since: string | null; strict: boolean },
): Promise<AuditReport> {
  if (base !== repo.base && since === null) {
    refuse('not-acceptable', 'since', null, `only ${repo.base} was adopted: of another branch the begin is needed`);
  }
  const [before, accepted] = await Promise.all([
    allLandings(deps.pool, repo.id, base),
    acceptedRewinds(deps.pool, repo.id, base, base === repo.base),
  ]);
  const asked = [...before.map((row) => row.commit), ...accepted.map((rewind) => rewind.tip)];
  const history = await deps.gitReader.history(repo, { base, since, asked });
  const commits = new Set(history.commits.map((commit) => commit.oid));
  const trees = history.commits.map((commit) => commit.tree);
  const openEntries = await openEntriesOn(deps.pool, repo.id, base);
  const [after, green] = await Promise.all([
    allLandings(deps.pool, repo.id, base),
    greenTrees(deps.pool, repo.id, [...new Set(trees)]),
  ]);
  const stood = new Set(before.map((row) => row.entry));
  return auditLandings({
    ...{ repo: repo.id, base, history, accepted, openEntries, strict },
    // What landed after the remote was read is not in this history.
    rows: after.filter((row) => stood.has(row.entry) || commits.has(row.commit)),
    greenTrees: green,
    hasChecks: repo.config.checks.length > 0,
  });
}
