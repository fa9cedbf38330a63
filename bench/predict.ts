/**
 * Predicting conflicts on a synthetic repository of 20,000 files: base with each of N heads and each head with each
 * other, by our activity (list, fetch, one merge-tree for all), against one merge-tree process for each pair, of which a
 * sample is run and multiplied. Then one head more, and nothing new.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createGitHost } from '../activities/git/host.js';
import { predict, type Work } from '../activities/git/predict.js';
import { hostPaths } from '../activities/paths.js';
import { allPairs } from '../domain/conflicts/pairs.js';
import type { Prediction } from '../domain/conflicts/types.js';
import { benchGit } from './baselines.js';
import { countArgument, median, percentile, printResult, round, timed } from './figures.js';
import { benchRepo } from './repo-row.js';
import { createSynthetic } from './synthetic-repository.js';

const FILES = 20_000;
const HEADS = countArgument(1, 'heads', 60);
const ROUNDS = countArgument(2, 'rounds', 5);
const SAMPLE = 60;
/** Every sixth head changes the same file, so that some pairs conflict. */
const SHARING = 6;

const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-bench-'));
try {
  const { remote, heads } = await createSynthetic(path.join(dir, 'remote.git'), FILES, HEADS + 1, SHARING);
  const base = await benchGit(remote, 'rev-parse', 'refs/heads/main');
  const workItem = (n: number): string => `ET-${String(n + 1).padStart(3, '0')}`;
  for (const [n, head] of heads.entries()) {
    await benchGit(remote, 'update-ref', `refs/signalbox/heads/${workItem(n)}`, head.oid);
  }
  const work: Work[] = heads.map((_, n) => ({ workItem: workItem(n), queued: null }));
  const host = createGitHost({ paths: hostPaths(path.join(dir, 'host')), lookup: (name) => process.env[name] });
  const repo = benchRepo(remote, base);
  const waiting = work.slice(0, HEADS);
  const ask = (of: Work[], known: Prediction[]) => predict(host, repo, of, () => Promise.resolve(known));

  // The first also fetches, which the queue has done by the time that it predicts.
  let found = await ask(waiting, []);
  const times: Record<'all' | 'oneMore' | 'nothingNew' | 'single', number[]> = {
    ...{ all: [], oneMore: [], nothingNew: [], single: [] },
  };
  await ask(work, found.predictions);
  const pairs = allPairs(
    base,
    heads.slice(0, HEADS).map((head) => head.oid),
  );
  const step = Math.max(1, Math.floor(pairs.length / SAMPLE));
  for (let n = 0; n < ROUNDS; n++) {
    times.all.push(await timed(async () => (found = await ask(waiting, []))));
    times.oneMore.push(await timed(() => ask(work, found.predictions)));
    times.nothingNew.push(await timed(() => ask(waiting, found.predictions)));
    for (const { a, b } of pairs.filter((_, i) => i % step === n % step).slice(0, SAMPLE)) {
      times.single.push(await timed(() => benchGit(remote, 'merge-tree', '--write-tree', a, b).catch(() => '')));
    }
  }
  const all = median(times.all);
  const baseline = median(times.single) * pairs.length;
  printResult('predict', all / baseline, `one merge-tree process for each pair (${SAMPLE} of them, multiplied)`, {
    files: FILES,
    heads: HEADS,
    pairs: pairs.length,
    conflicts: found.predictions.filter(({ kind }) => kind === 'conflict').length,
    allMs: round(all),
    allWorstMs: round(percentile(times.all, 1)),
    perPairMs: round(all / pairs.length, 2),
    oneMoreMs: round(median(times.oneMore)),
    nothingNewMs: round(median(times.nothingNew)),
    singlesMs: round(baseline),
  });
} finally {
  await rm(dir, { recursive: true, force: true });
}
