/**
 * The audit of a base branch: what its history, its tip ref and the store say about each landing, held against each
 * other. Each commit of base is in the segment of a landing that proves, or it is foreign (a person's push), or it
 * claims to be a landing and is none. What is wrong is told once, where it stands in the history.
 */
import { claimsIn } from './audit-claims.js';
import { findLost } from './audit-lost.js';
import { recordsOf, rowFaults, verdictFault } from './audit-rows.js';
import type {
  AuditedLanding,
  AuditFacts,
  AuditHistory,
  AuditReport,
  Claim,
  ForeignCommit,
  HistoryCommit,
  Note,
  Offence,
} from './audit-types.js';

export function auditLandings(facts: AuditFacts): AuditReport {
  const { repo, base, history } = facts;
  const claims = claimsIn(facts, history.commits, history.from).map((claim) => madeAgain(claim, history));
  const landings = claims.filter((claim) => 'facts' in claim);
  const twins = twinsOf(landings);
  const records = recordsOf(facts);
  const offences: Offence[] = [];
  const notes: Note[] = [];
  for (const claim of claims) {
    if ('forged' in claim) {
      offences.push({ ...anonymous(claim.commit.oid), code: 'forged-trailer', detail: claim.forged });
      continue;
    }
    const { commit } = claim;
    const name = { commit: commit.oid, task: claim.facts.task, entry: claim.facts.entry };
    const { before = null, others = [] } = twins.get(claim) ?? {};
    if (before !== null) offences.push({ ...name, code: 'entry-twice', detail: `landed before as ${before}` });
    for (const found of [...rowFaults(records, claim, others), ...verdictFault(records, claim)]) {
      if ('offence' in found) offences.push({ ...name, code: found.offence, detail: found.detail });
      else notes.push({ ...name, code: found.note, detail: found.detail });
    }
    if (history.again[commit.oid]?.kind === 'head-gone') {
      notes.push({ ...name, code: 'head-gone', detail: `the remote no longer has its head ${claim.facts.head}` });
    }
  }
  const lost = findLost(facts, landings, claimsIn(facts, history.lost, history.from));
  offences.push(...lost.offences, ...tipFault(history, landings));
  notes.push(...lost.notes);

  const explained = new Set(claims.flatMap((claim) => ('facts' in claim ? claim.segment : [claim.commit.oid])));
  const foreign = history.commits.filter((commit) => commit.onLine && !explained.has(commit.oid)).map(showForeign);
  if (facts.strict) {
    for (const { commit, subject } of foreign) {
      offences.push({ ...anonymous(commit), code: 'foreign', detail: `pushed past the merge queue: ${subject}` });
    }
  }
  const unproven = new Set([
    ...offences.map((offence) => offence.commit),
    ...notes.filter((note) => note.code === 'verdict-not-kept').map((note) => note.commit),
  ]);
  return {
    ...{ repo, base, from: history.from, to: history.to, landings: claims.length },
    proven: landings.filter((landing) => !unproven.has(landing.commit.oid)).length,
    ...{ foreign, offences, notes, ok: offences.length === 0 },
  };
}

function madeAgain(claim: Claim, history: AuditHistory): Claim {
  const again = 'facts' in claim ? history.again[claim.commit.oid] : undefined;
  if (again?.kind !== 'differs') return claim;
  return { commit: claim.commit, forged: `made again from its parts it is another: ${again.how}` };
}

const anonymous = (commit: string): { commit: string; task: null; entry: null } => ({
  ...{ commit, task: null, entry: null },
});

const showForeign = (commit: HistoryCommit): ForeignCommit => ({
  commit: commit.oid,
  author: commit.author.slice(0, commit.author.lastIndexOf('>') + 1),
  subject: commit.message.split('\n', 1)[0] ?? '',
});

interface Twins {
  /** The commit of the one before it; null = it was the first. */
  before: string | null;
  others: AuditedLanding[];
}

/** Of landings that have others of the same entry, or of the same task in the same generation. */
function twinsOf(landings: readonly AuditedLanding[]): Map<AuditedLanding, Twins> {
  const groups = new Map<string, AuditedLanding[]>();
  for (const landing of landings) {
    const { entry, task, generation } = landing.facts;
    for (const key of [`entry ${entry}`, `task ${generation} ${task}`]) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [landing]);
      else group.push(landing);
    }
  }
  const twins = new Map<AuditedLanding, Twins>();
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    for (const [i, landing] of group.entries()) {
      const found = twins.get(landing) ?? { before: null, others: [] };
      twins.set(landing, {
        before: found.before ?? group[i - 1]?.commit.oid ?? null,
        others: [...found.others, ...group.filter((other) => other !== landing)],
      });
    }
  }
  return twins;
}

/** The tip ref is what keeps a push in doubt from landing late: it has to contain every landing. */
function tipFault({ tip, notInTip, to }: AuditHistory, landings: readonly AuditedLanding[]): Offence[] {
  const missing = new Set(notInTip);
  const last = landings.findLast(({ commit }) => tip === null || missing.has(commit.oid));
  if (last === undefined && tip !== null) return [];
  return [
    {
      ...{ code: 'tip-broken', commit: last?.commit.oid ?? to },
      ...{ task: last?.facts.task ?? null, entry: last?.facts.entry ?? null },
      detail: tip === null ? 'the tip ref is missing' : `the tip ref is at ${tip} and does not contain this landing`,
    },
  ];
}
