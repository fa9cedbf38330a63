/** Gives a store that was lost what the remote still says about the landings on a base branch. */
import { SignalboxError } from '../domain/errors.js';
import { highestNumbers, rebuiltRows, type FoundLandings, type RebuiltRow } from '../domain/merge-queue/rebuild.js';
import type { Landing } from '../domain/merge-queue/types.js';
import type { Repo } from '../domain/repos.js';
import { transaction, type Tx } from '../store/db.js';
import { allLandings, holdLandings, restoreLandings } from '../store/landings.js';
import { openEntriesOn } from '../store/merge-entries.js';
import { lockRepo, updateRepo } from '../store/repos.js';
import { useNumbers } from '../store/task-intake.js';
import { acceptedAmong } from '../store/tasks.js';
import type { ApiDeps } from './deps.js';

interface Rebuilt {
  repo: string;
  base: string;
  /** Landings in base. */
  landings: number;
  /** Of these, those whose records were missing. */
  restored: number;
  /** Where the audit begins. */
  adoptedAt: string;
  /** Numbers that are used up without a task here. */
  numbers: { prefix: string; highest: number }[];
}

const MAX_LOOKS = 5;

/** Throws `conflict` where a name that had landed was given to another task since. Safe to repeat. */
export async function rebuildLandings(deps: ApiDeps, repo: Repo, base: string): Promise<Rebuilt> {
  for (let look = 1; look <= MAX_LOOKS; look += 1) {
    const before = await allLandings(deps.pool, repo.id, base);
    const found = await deps.gitReader.landings(repo, base);
    const rebuilt = await transaction(deps.pool, (tx) => restore(tx, { repo, base, found, before }));
    if (rebuilt !== null) return rebuilt;
  }
  throw new SignalboxError('conflict', `${base} in ${repo.id} does not hold still: pause it first`, { retryAfter: 1 });
}

interface Look {
  repo: Repo;
  base: string;
  found: FoundLandings;
  /** The records as they were before the remote was asked. */
  before: readonly Landing[];
}

/** Null where something landed while the remote was asked: its place among these is not known. */
async function restore(tx: Tx, { repo, base, found, before }: Look): Promise<Rebuilt | null> {
  if ((await lockRepo(tx, repo.id)) === null)
    throw new SignalboxError('not-found', `there is no repository ${repo.id}`);
  await holdLandings(tx);
  const now = await allLandings(tx, repo.id, base);
  const known = new Set([...before.map((row) => row.entry), ...found.landings.map(({ facts }) => facts.entry)]);
  if (now.some((row) => !known.has(row.entry))) return null;

  const stored = new Set(now.map((row) => row.entry));
  // The queue is about to store those of open entries, and knows their verdicts.
  const open = new Set(await openEntriesOn(tx, repo.id, base));
  const rows = rebuiltRows(repo.id, found.landings).filter(
    ({ landing }) => stored.has(landing.entry) || !open.has(landing.entry),
  );
  const accepted = await acceptedAmong(tx, repo.id, found.workItems);
  refuseReused(
    rows.filter(({ landing }) => !stored.has(landing.entry)),
    accepted,
  );
  const restored = await restoreLandings(tx, { repo: repo.id, base }, rows);
  const numbers = highestNumbers(found.workItems.filter((name) => !accepted.has(name)));
  await useNumbers(tx, repo.id, numbers);
  const adoptedAt = base === repo.base ? found.from : repo.adoptedAt;
  if (adoptedAt !== repo.adoptedAt) await updateRepo(tx, repo.id, { adoptedAt });
  return {
    ...{ repo: repo.id, base, landings: found.landings.length, restored: restored.length, adoptedAt },
    numbers: [...numbers].map(([prefix, highest]) => ({ prefix, highest })),
  };
}

/** Whole seconds, as landings are dated: a task is accepted before it lands. */
const second = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** A task that got the name of one that had landed would be taken for landed. */
function refuseReused(missing: readonly RebuiltRow[], accepted: ReadonlyMap<string, string>): void {
  const reused = missing.filter(({ workItem, landing }) => {
    const at = accepted.get(workItem);
    return at !== undefined && second(at) > second(landing.at);
  });
  if (reused.length === 0) return;
  const names = reused.map(({ landing }) => landing.task);
  throw new SignalboxError(
    'conflict',
    `another task has the name of one that had landed: ${names.slice(0, 10).join(', ')}. ` +
      'Remove the repository, register it again, and rebuild before tasks are handed in.',
    { tasks: names },
  );
}
