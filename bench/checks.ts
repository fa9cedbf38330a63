/**
 * How a check gets its tree: a warm export that is proven and switched, against a fresh one, on a synthetic repository
 * of 20,000 files of which thirty differ from one tree to the next. Between two checks the export is treated as checks
 * do: files are written beside, some are changed, some removed. Both ways in turns.
 */
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newKey } from '../activities/agents/warrant.js';
import { openExport, parkExport } from '../activities/exports/warm.js';
import { exportTree, sourceTree } from '../activities/git/export.js';
import { createGitHost } from '../activities/git/host.js';
import { hostPaths } from '../activities/paths.js';
import { countArgument, median, percentile, printResult, round, timed } from './figures.js';
import { benchRepo } from './repo-row.js';
import { createSynthetic } from './synthetic-repository.js';

const FILES = 20_000;
const CHECKS = countArgument(1, 'checks', 12);
const LEFT_BESIDE = 200;
const CHANGED = 20;

const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-bench-'));
try {
  const { remote, heads } = await createSynthetic(path.join(dir, 'remote.git'), FILES, CHECKS + 1);
  const repo = benchRepo(remote, heads[0]?.oid ?? '');
  const git = createGitHost({ paths: hostPaths(path.join(dir, 'host')), lookup: (name) => process.env[name] });
  const host = { git, paths: git.paths, checks: { warmExports: 4, warmBytes: 2 ** 50, ports: { first: 1, last: 1 } } };
  const key = newKey();
  const keysOf = (): Promise<string[]> => Promise.resolve([key]);
  const times: { warm: number[]; fresh: number[] } = { warm: [], fresh: [] };
  let switched = 0;
  for (const [n, head] of heads.entries()) {
    const source = { kind: 'base', branch: head.branch, commit: head.oid } as const;
    // Fetching it is no part of either.
    await sourceTree(git, repo, source);
    const fresh = path.join(dir, 'fresh');
    const freshly = await timed(() => exportTree(git, repo, source, fresh));
    await rm(fresh, { recursive: true });
    const id = `check-${n}`;
    let cwd = '';
    const warmly = await timed(async () => {
      const opened = await openExport(host, repo, source, { id, key, keysOf });
      cwd = opened.cwd;
      if (opened.warm) switched += 1;
    });
    await useAsChecksDo(cwd);
    await parkExport(host, repo, id);
    // The first one makes the export that the others switch.
    if (n === 0) continue;
    times.fresh.push(freshly);
    times.warm.push(warmly);
  }
  const [warm, fresh] = [median(times.warm), median(times.fresh)];
  printResult('checks', warm / fresh, 'a fresh export: read-tree and checkout-index into an empty directory', {
    ...{ files: FILES, checks: CHECKS, warmOnes: switched, warmMs: round(warm), freshMs: round(fresh) },
    ...{ warmP95Ms: round(percentile(times.warm, 0.95)), freshP95Ms: round(percentile(times.fresh, 0.95)) },
    timesFaster: round(fresh / warm),
  });
} finally {
  await rm(dir, { recursive: true, force: true });
}

async function useAsChecksDo(cwd: string): Promise<void> {
  await mkdir(path.join(cwd, 'out'));
  for (let i = 0; i < LEFT_BESIDE; i += 1) await writeFile(path.join(cwd, 'out', `o${i}`), 'made by a check\n');
  for (let i = 0; i < CHANGED; i += 1) await appendFile(path.join(cwd, `d${i}`, `f${i * 100}.txt`), 'changed\n');
  for (let i = 0; i < CHANGED; i += 1) await rm(path.join(cwd, `d${i}`, `f${i * 100 + 1}.txt`));
}
