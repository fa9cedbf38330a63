/** Versions of mirrored pictures: an older one never wins. */

/** Where a stored picture stands: the run that wrote it, its counter, and the runs that were followed by another. */
export interface MirrorVersion {
  mirrorRun: string | null;
  mirrorSeq: number;
  mirrorPast: readonly string[];
}

/**
 * True if (runId, seq) is newer than what is stored: a higher counter of the same run, or a run that was never seen,
 * which claims the row. A run that was followed by another one (continue-as-new) never comes back.
 */
export function isNewer(stored: MirrorVersion, picture: { runId: string; seq: number }): boolean {
  if (stored.mirrorRun === picture.runId) return picture.seq > stored.mirrorSeq;
  return !stored.mirrorPast.includes(picture.runId);
}

/** Runs to refuse from now on; the newest of them are enough, since late writers are young. */
export function pastRuns(stored: MirrorVersion, runId: string): string[] {
  const past = [...stored.mirrorPast];
  if (stored.mirrorRun !== null && stored.mirrorRun !== runId) past.push(stored.mirrorRun);
  return past.slice(-20);
}
