/**
 * Which live work will not merge: base with each head, and each head with each other. It reads the remote and the gate
 * and moves nothing; the lock of the gate is held only to fetch what is missing there, never while git merges.
 */
import { MAX_HEADS, sortPairs } from '../../domain/conflicts/pairs.js';
import type { LiveHead, Prediction, ScanReport } from '../../domain/conflicts/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { taskName } from '../../domain/tasks.js';
import {
  beginScan,
  knownPredictions,
  liveWork,
  noteScanFault,
  queuedHeads,
  storeScan,
  type FinishedScan,
} from '../../store/conflicts.js';
import { transaction, type Pool } from '../../store/db.js';
import { getQueueView } from '../../store/merge-queues.js';
import { getRepo } from '../../store/repos.js';
import { baseAttributes } from './attributes.js';
import { withGate } from './gate.js';
import type { GitHost } from './host.js';
import { mergePairs } from './merge-pairs.js';
import { baseRef, fetchRefs, headRef, listRemote, openRemote } from './remote.js';

/** Live work as the store knows it; the remote says where its heads are. */
export interface Work {
  workItem: string;
  /** The head of its entry; null = not in the queue. */
  queued: { head: string; place: number } | null;
}

export interface Predicted {
  baseOid: string;
  /** '' = none. */
  attributes: string;
  live: LiveHead[];
  predictions: Prediction[];
  /** Of `predictions`, those that were not known. */
  asked: Prediction[];
}

type Known = (attributes: string) => Promise<Prediction[]>;

/**
 * Predicts with one call of git what is not known. Work without a head on the remote is left out. Throws `not-found`
 * without the base branch, `git-infrastructure`, `gate-busy`.
 */
export async function predict(host: GitHost, repo: Repo, work: readonly Work[], known: Known): Promise<Predicted> {
  const refs = work.slice(0, MAX_HEADS).map(({ workItem, queued }) => ({
    ...{ ref: headRef(repo, workItem), task: taskName(repo.id, workItem) },
    queued,
  }));
  const base = baseRef(repo);
  const remote = await openRemote(host, repo.remote, repo.config.auth);
  const listed = await listRemote(host, remote, [base, ...refs.map(({ ref }) => ref)]);
  const baseOid = listed.get(base);
  if (baseOid === undefined) throw new SignalboxError('not-found', `the remote has no branch ${repo.base}`);
  const heads = refs.flatMap(({ ref, task, queued }): (LiveHead & { ref: string })[] => {
    const head = queued?.head ?? listed.get(ref);
    return head === undefined ? [] : [{ ref, task, head, place: queued?.place ?? null }];
  });
  const { dir, attributes, found } = await withGate(host, repo, async (gate) => {
    const missingOf = async (oids: string[]): Promise<Set<string>> => {
      const infos = await gate.objects.info(oids);
      return new Set(oids.filter((_, i) => infos[i]?.type !== 'commit'));
    };
    const wanted = [{ ref: base, oid: baseOid }, ...heads.map(({ ref, head }) => ({ ref, oid: head }))];
    const lacking = await missingOf(wanted.map(({ oid }) => oid));
    const fetched = wanted.filter(({ ref, oid }) => lacking.has(oid) && listed.has(ref)).map(({ ref }) => ref);
    if (fetched.length > 0) await fetchRefs(gate, fetched);
    // A ref that moved since it was listed brings something else: its head is looked at the next time.
    const gone = await missingOf([...lacking]);
    if (gone.has(baseOid)) throw new SignalboxError('git-infrastructure', `${repo.base} moved while it was fetched`);
    return {
      dir: gate.dir,
      attributes: await baseAttributes(gate, baseOid),
      found: heads.filter(({ head }) => !gone.has(head)),
    };
  });
  const live = found.map(({ task, head, place }) => ({ task, head, place }));
  const { there: before, missing } = sortPairs(
    baseOid,
    live.map(({ head }) => head),
    await known(attributes ?? ''),
  );
  const asked = await mergePairs(host, { gateDir: dir, pairs: missing, attributes });
  return { baseOid, attributes: attributes ?? '', live, predictions: [...before, ...asked], asked };
}

export interface ScanDone {
  /** Where base was. */
  baseOid: string;
  /** Null where a scan that began later has told already. */
  report: ScanReport | null;
}

interface Running {
  now: Promise<ScanDone>;
  next: Promise<ScanDone> | null;
}

const scans = new Map<string, Running>();

/**
 * Looks at the live work of a base branch, keeps what was found, and raises, clears and tells flags. Safe to repeat: of
 * all who ask in this process while one scan runs, the next one is for.
 */
export function scanConflicts(host: GitHost, pool: Pool, repo: string, base: string): Promise<ScanDone> {
  const key = `${host.paths.root} ${repo} ${base}`;
  const running = scans.get(key);
  if (running !== undefined) return (running.next ??= running.now.then(start, start));
  return start();

  function start(): Promise<ScanDone> {
    const now = scan(host, pool, repo, base);
    const mine: Running = { now, next: null };
    scans.set(key, mine);
    const done = (): void => {
      if (scans.get(key) === mine && mine.next === null) scans.delete(key);
    };
    now.then(done, done);
    return now;
  }
}

async function scan(host: GitHost, pool: Pool, repoId: string, base: string): Promise<ScanDone> {
  const repo = await getRepo(pool, repoId);
  if (repo === null) throw new SignalboxError('not-found', `there is no repository ${repoId}`);
  const number = await beginScan(pool, repoId, base);
  try {
    const begun = performance.now();
    const { work, live } = await readWork(pool, repoId, base);
    const found = await predict(host, repo, work, (attributes) => knownPredictions(pool, repoId, base, attributes));
    const finished: FinishedScan = {
      ...{ repo: repoId, base, number, attributes: found.attributes, live, asked: found.asked },
      scan: { base, ...found },
      seconds: Math.round(performance.now() - begun) / 1000,
    };
    const review = await transaction(pool, (tx) => storeScan(tx, finished));
    return { baseOid: found.baseOid, report: review?.report ?? null };
  } catch (err) {
    await noteScanFault(pool, repoId, base, number, err instanceof Error ? err.message : String(err));
    throw err;
  }
}

/** What is queued comes first, in its order: of too many heads those are left out that moved longest ago. */
async function readWork(pool: Pool, repo: string, base: string): Promise<{ work: Work[]; live: string[] }> {
  const [tasks, entries, view] = await Promise.all([
    liveWork(pool, repo, base),
    queuedHeads(pool, repo, base),
    getQueueView(pool, repo, base),
  ]);
  // An entry that the picture does not show yet came last.
  const shown = new Map((view?.entries ?? []).map((entry) => [entry.entry, entry.position]));
  const inOrder = entries
    .map((entry, i) => ({ ...entry, order: shown.get(entry.entry) ?? 1_000_000 + i }))
    .sort((x, y) => x.order - y.order);
  const places = new Map(inOrder.map(({ workItem, head }, i) => [workItem, { head, place: i + 1 }]));
  const queued = [...places].map(([workItem, at]) => ({ workItem, queued: at }));
  const others = tasks.filter((workItem) => !places.has(workItem));
  const live = new Set([...tasks, ...places.keys()]);
  return {
    work: [...queued, ...others.map((workItem) => ({ workItem, queued: null }))],
    live: [...live].map((workItem) => taskName(repo, workItem)),
  };
}
