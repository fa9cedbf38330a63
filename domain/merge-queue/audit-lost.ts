/** Landings that are not in base any more, by the store and by what the tip ref remembers. */
import { identSeconds } from './commit.js';
import { hasOurTrailer } from './plan.js';
import { recordsOf, rowOf } from './audit-rows.js';
import type { AuditedLanding, AuditFacts, Claim, Note, Offence } from './audit-types.js';
import type { Landing } from './types.js';

interface Lost {
  commit: string;
  task: string | null;
  entry: string | null;
  /** When it landed, milliseconds since the epoch. */
  at: number;
  detail: string;
}

/** @param remembered what commits claim that only the tip ref has */
export function findLost(
  facts: AuditFacts,
  landings: readonly AuditedLanding[],
  remembered: readonly Claim[],
): { offences: Offence[]; notes: Note[] } {
  const { absent, recordedSince, rememberedSince } = facts.history;
  const others = rowsOfOthers(facts, landings);
  const lost = [...lostAdoption(facts), ...lostRows(facts, others).filter(({ at }) => at >= recordedSince * 1000)];
  const told = new Set(lost.map(({ commit }) => commit));
  for (const claim of remembered) {
    if (!('facts' in claim) || told.has(claim.commit.oid)) continue;
    const at = identSeconds(claim.commit.committer) * 1000;
    if (at < rememberedSince * 1000) continue;
    const { task, entry } = claim.facts;
    lost.push({ commit: claim.commit.oid, task, entry, at, detail: 'the tip ref has it and base does not' });
  }
  // A person said that base may be without what had landed till then.
  const accepted = facts.accepted.filter(({ tip }) => !absent.includes(tip)).map(({ at }) => Date.parse(at));
  const until = Math.max(...accepted, -Infinity);
  const offences: Offence[] = noLandings(facts, landings, others);
  const notes: Note[] = [];
  for (const { at, ...finding } of lost) {
    if (at <= until) notes.push({ ...finding, code: 'accepted-rewind' });
    else offences.push({ ...finding, code: 'rewound-landing' });
  }
  return { offences, notes };
}

function lostAdoption({ history }: AuditFacts): Lost[] {
  if (!history.absent.includes(history.from)) return [];
  const detail = 'base was adopted here and does not contain it any more';
  return [{ commit: history.from, task: null, entry: null, at: 0, detail }];
}

/** Rows that were not compared with a landing that is there. */
function rowsOfOthers(facts: AuditFacts, landings: readonly AuditedLanding[]): Landing[] {
  const records = recordsOf(facts);
  const compared = new Set(landings.map((landing) => rowOf(records, landing)));
  return facts.rows.filter((row) => !compared.has(row));
}

function lostRows({ history }: AuditFacts, others: readonly Landing[]): Lost[] {
  const absent = new Set(history.absent);
  return others
    .filter((row) => absent.has(row.commit))
    .map(({ commit, task, entry, at }) => ({
      ...{ commit, task, entry, at: Date.parse(at) },
      detail: 'it is recorded as landed and base does not contain it',
    }));
}

/** Rows that name a commit of base which is not their landing. What is before an asked begin is not looked at. */
function noLandings(
  { history }: AuditFacts,
  landings: readonly AuditedLanding[],
  others: readonly Landing[],
): Offence[] {
  const { commits, absent, recordedSince } = history;
  const proven = new Set(landings.map(({ commit }) => commit.oid));
  const forged = commits.filter(({ oid, message }) => hasOurTrailer(message) && !proven.has(oid));
  const known = new Set(commits.map(({ oid }) => oid));
  const told = new Set([...absent, ...forged.map(({ oid }) => oid)]);
  return others
    .filter((row) => !told.has(row.commit) && (known.has(row.commit) || recordedSince === 0))
    .map(({ commit, task, entry }) => ({
      ...{ code: 'row-differs', commit, task, entry },
      detail: 'it is recorded as landed with this commit, which is not its landing',
    }));
}
