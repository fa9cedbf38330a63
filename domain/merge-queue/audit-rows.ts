/** What the store says about a landing that is in base: its row, and the verdict of its tree. */
import type { AuditedLanding, AuditFacts, NoteCode, OffenceCode } from './audit-types.js';
import type { Landing } from './types.js';

export type RowFinding = { offence: OffenceCode; detail: string } | { note: NoteCode; detail: string };

export interface Records {
  byEntry: ReadonlyMap<string, Landing>;
  byCommit: ReadonlyMap<string, Landing>;
  green: ReadonlySet<string>;
  open: ReadonlySet<string>;
  hasChecks: boolean;
}

export const recordsOf = (facts: AuditFacts): Records => ({
  byEntry: new Map(facts.rows.map((row) => [row.entry, row])),
  byCommit: new Map(facts.rows.map((row) => [row.commit, row])),
  green: new Set(facts.greenTrees),
  open: new Set(facts.openEntries),
  hasChecks: facts.hasChecks,
});

/** Its own by its entry; else one that names its commit. */
export const rowOf = (records: Records, { commit, facts }: AuditedLanding): Landing | undefined =>
  records.byEntry.get(facts.entry) ?? records.byCommit.get(commit.oid);

/** `twins`: other landings of the same entry or task; a row of one of them is the row of all. */
export function rowFaults(records: Records, landing: AuditedLanding, twins: readonly AuditedLanding[]): RowFinding[] {
  const row = rowOf(records, landing);
  if (row === undefined) {
    if (twins.some((twin) => rowOf(records, twin) !== undefined)) return [];
    return records.open.has(landing.facts.entry)
      ? [{ note: 'being-recorded', detail: 'its entry is still open: the queue has yet to store the outcome' }]
      : [{ offence: 'unrecorded-landing', detail: 'the store has no record of this landing' }];
  }
  if (twins.some((twin) => twin.commit.oid === row.commit)) return [];
  const differing = differences(row, landing);
  return differing.length === 0 ? [] : [{ offence: 'row-differs', detail: `the store has ${differing.join(', ')}` }];
}

function differences(row: Landing, { commit, facts }: AuditedLanding): string[] {
  const pairs: [name: string, stored: string | number, proven: string | number][] = [
    ['entry', row.entry, facts.entry],
    ['commit', row.commit, commit.oid],
    ['tree', row.tree, commit.tree],
    ['plan', row.plan, facts.plan],
    ['base', row.base, facts.baseOid],
    ['head', row.head, facts.head],
    ['task', row.task, facts.task],
    ['generation', row.generation, facts.generation],
  ];
  return pairs
    .filter(([, stored, proven]) => stored !== proven)
    .map(([name, stored, proven]) => `${name} ${stored} instead of ${proven}`);
}

/**
 * `none` in the row: the repository had no checks when it landed; `unknown`: the row was made again from git. Without a
 * row the checks of now decide.
 */
export function verdictFault(records: Records, landing: AuditedLanding): RowFinding[] {
  const { tree } = landing.commit;
  const { hasChecks } = records;
  const verdict = rowOf(records, landing)?.verdict ?? (hasChecks ? 'green' : 'none');
  switch (verdict) {
    case 'none':
      return hasChecks
        ? [{ note: 'landed-without-checks', detail: 'the repository had no checks when it landed' }]
        : [];
    case 'unknown':
      return records.green.has(tree) || !hasChecks
        ? []
        : [{ note: 'verdict-not-kept', detail: `its record was made again from git: no verdict is kept for ${tree}` }];
    case 'green':
      return records.green.has(tree)
        ? []
        : [{ offence: 'unproven-tree', detail: `the store has no green verdict for its tree ${tree}` }];
    default:
      return [{ offence: 'unproven-tree', detail: `it is recorded as landed on the verdict ${verdict}` }];
  }
}
