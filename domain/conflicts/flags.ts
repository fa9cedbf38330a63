/**
 * The flag of a task whose work cannot land as things are. It is raised by the first scan that finds something in the
 * way, is told once, and stands until a scan finds nothing: then the task is back to the status that it had.
 *
 *     none -> flagged (told) -> flagged (other obstacles: shown, not told again) -> none (told)
 *
 * Work that could not be looked at (its head is gone, it shares no history with base) keeps what it has.
 */
import { indexed, pairKey, pairOf } from './pairs.js';
import type { ConflictFlag, LiveHead, Obstacle, Prediction, ScanReport } from './types.js';

export interface Scan {
  /** Name and commit of the base branch. */
  base: string;
  baseOid: string;
  live: readonly LiveHead[];
  predictions: readonly Prediction[];
}

/** By task, what its work does not merge with; a task that nothing is known of is not in it. */
export function obstacles({ base, baseOid, live, predictions }: Scan): Map<string, Obstacle[]> {
  const known = indexed(predictions);
  const onBase = (head: string): Prediction | undefined =>
    head === baseOid ? { a: baseOid, b: head, kind: 'clean', paths: [] } : known.get(pairKey({ a: baseOid, b: head }));
  // What does not merge with base itself goes back before anything is in its way.
  const queued = live.filter(({ place, head }) => place !== null && onBase(head)?.kind === 'clean');
  const found = new Map<string, Obstacle[]>();
  for (const work of live) {
    const own = onBase(work.head);
    if (own === undefined || own.kind === 'unrelated') continue;
    if (own.kind === 'conflict') {
      found.set(work.task, [{ kind: 'base', name: base, oid: baseOid, paths: own.paths }]);
      continue;
    }
    const ahead = queued.filter((other) => isAhead(other, work)).sort((x, y) => Number(x.place) - Number(y.place));
    found.set(
      work.task,
      ahead.flatMap(({ task, head }): Obstacle[] => {
        const pair = known.get(pairKey(pairOf(head, work.head)));
        return pair?.kind === 'conflict' ? [{ kind: 'entry', name: task, oid: head, paths: pair.paths }] : [];
      }),
    );
  }
  return found;
}

/** Whatever is queued lands before work that is not. */
const isAhead = (other: LiveHead, work: LiveHead): boolean =>
  other.task !== work.task && other.place !== null && (work.place === null || other.place < work.place);

export interface Review {
  /** All that stand now. */
  flags: ConflictFlag[];
  raised: ConflictFlag[];
  cleared: ConflictFlag[];
  report: ScanReport;
}

/** `before`: the flags that stood; `live`: names of all live tasks, also of those without a head. `now` in RFC 3339. */
export function reviewFlags(before: readonly ConflictFlag[], live: readonly string[], scan: Scan, now: string): Review {
  const found = obstacles(scan);
  const heads = new Map(scan.live.map(({ task, head }) => [task, head]));
  const standing = before.filter(({ task }) => live.includes(task));
  const kept = standing.flatMap((flag) => {
    const against = found.get(flag.task);
    if (against === undefined) return [flag];
    return against.length === 0 ? [] : [{ ...flag, head: heads.get(flag.task) ?? flag.head, against }];
  });
  const had = new Set(standing.map(({ task }) => task));
  const raised = [...found].flatMap(([task, against]): ConflictFlag[] =>
    against.length === 0 || had.has(task) ? [] : [{ task, head: heads.get(task) ?? '', since: now, against }],
  );
  const cleared = standing.filter(({ task }) => found.get(task)?.length === 0);
  const report = {
    ...{ scanned: found.size, flagged: raised.length, cleared: cleared.length },
    notified: raised.length,
  };
  return { flags: [...kept, ...raised], raised, cleared, report };
}

/** `main in a.txt, b.txt; web/ET-003, ahead in the merge queue, in c.txt` */
export function describeObstacles(against: readonly Obstacle[]): string {
  return against
    .map(({ kind, name, paths }) => `${name}${kind === 'entry' ? ', ahead in the merge queue,' : ''} in ${some(paths)}`)
    .join('; ');
}

const SHOWN = 10;
const some = (paths: readonly string[]): string =>
  paths.length <= SHOWN ? paths.join(', ') : `${paths.slice(0, SHOWN).join(', ')} and ${paths.length - SHOWN} more`;
