/**
 * Which commits claim to be landings, and which of these prove: by their ids, and by being made on the base they name.
 * The unit is the segment: the commits from that base to the landing commit.
 */
import { hasOurTrailer, provenLanding, type ProvenFacts } from './plan.js';
import type { AuditedLanding, Claim, HistoryCommit } from './audit-types.js';

interface Where {
  repo: string;
  base: string;
}

const OID = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** What a commit claims to have landed, or null where it claims nothing. */
function claimOf(where: Where, commit: HistoryCommit, known: Known): Claim | null {
  if (!hasOurTrailer(commit.message)) return null;
  const facts = provenLanding(commit, where.repo, where.base, commit.attributes);
  if (facts === null) {
    // A merge by a person brings the landings of the other branch.
    return commit.onLine ? { commit, forged: 'it carries our trailers, and its ids do not come out again' } : null;
  }
  if (!OID.test(facts.head) || !OID.test(facts.baseOid)) return { commit, forged: 'its trailers name no commits' };
  const segment = segmentOf(commit, facts, known);
  if (segment === null) return { commit, forged: `it is not made on ${facts.baseOid}, which it names as its base` };
  return { commit, facts, segment };
}

interface Known {
  commits: ReadonlyMap<string, HistoryCommit>;
  from: string;
}

/** The commits from the base of the plan to the landing: all made in the same second, by us, on one parent each. */
function segmentOf(landing: HistoryCommit, facts: ProvenFacts, known: Known): string[] | null {
  const segment = [landing.oid];
  for (let at = landing.parents[0]; at !== facts.baseOid;) {
    // Asked to begin in the middle of a landing: what is before is not looked at.
    if (at === known.from) break;
    const commit = at === undefined ? undefined : known.commits.get(at);
    if (commit?.parents.length !== 1 || facts.strategy !== 'rebase-ff') return null;
    if (commit.committer !== landing.committer || hasOurTrailer(commit.message)) return null;
    segment.unshift(commit.oid);
    at = commit.parents[0];
  }
  return segment;
}

/** What claims to be a landing among these commits, in their order. `from`: where they begin, itself left out. */
export function claimsIn(where: Where, commits: readonly HistoryCommit[], from: string): Claim[] {
  const known = { commits: new Map(commits.map((commit) => [commit.oid, commit])), from };
  return commits.flatMap((commit) => claimOf(where, commit, known) ?? []);
}

/** The landings among commits whose ids come out again and which are made on the base that they name. */
export function landingsIn(where: Where, commits: readonly HistoryCommit[], from: string): AuditedLanding[] {
  return claimsIn(where, commits, from).filter((claim) => 'facts' in claim);
}
