/**
 * Landings on a synthetic repository of 20,000 files: our prepare + publish (plan, second computation, fence, leased
 * push, read-back), against (a) the same git steps bare and (b) the classic way through a worktree, in the same run.
 * The time a queue adds between two landings is measured by bench:overhead, on the whole stack.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hostPaths } from '../activities/paths.js';
import { createGitHost, type GitHost, type LandingRecords } from '../activities/git/host.js';
import { withGate } from '../activities/git/gate.js';
import { prepare } from '../activities/git/prepare.js';
import { publish } from '../activities/git/publish.js';
import { contentId } from '../domain/content-id.js';
import type { EnqueueRequest, Landing } from '../domain/merge-queue/types.js';
import type { Repo } from '../domain/repos.js';
import { bareLandings, benchGit, worktreeLandings } from './baselines.js';
import { median, percentile, printResult, round } from './figures.js';
import { createSynthetic, type Synthetic } from './synthetic-repository.js';

const FILES = 20_000;
const LANDINGS = 30;
const WORKTREE_LANDINGS = 5;

const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-bench-'));
try {
  const make = (name: string, count: number): Promise<Synthetic> => createSynthetic(path.join(dir, name), FILES, count);
  const bare = await bareLandings(dir, await make('bare.git', LANDINGS));
  const ours = await ourLandings(await make('ours.git', LANDINGS));
  const worktree = await worktreeLandings(dir, await make('worktree.git', WORKTREE_LANDINGS));
  // The first of each also fills caches (the gate's first fetch, git's first walk): it is no landing like the others.
  const [a, us, b] = [bare.slice(1), ours.slice(1), worktree.slice(1)].map(median) as [number, number, number];
  printResult('landing', us / a, 'fetch, merge-tree, commit-tree, leased push and read-back, bare', {
    files: FILES,
    landings: LANDINGS,
    oursMs: round(us),
    oursP95Ms: round(percentile(ours.slice(1), 0.95)),
    bareMs: round(a),
    worktreeMs: round(b),
    landingsPerMinute: Math.floor(60_000 / us),
    timesFasterThanWorktree: round(b / us),
  });
} finally {
  await rm(dir, { recursive: true, force: true });
}

async function ourLandings({ remote, heads }: Synthetic): Promise<number[]> {
  const base = await benchGit(remote, 'rev-parse', 'refs/heads/main');
  await benchGit(remote, 'update-ref', 'refs/signalbox/tip/main', base);
  const repo = repoRow(remote, base);
  const host = createGitHost({ paths: hostPaths(path.join(dir, 'host')), lookup: (name) => process.env[name] });
  const landed: Landing[] = [];
  const records = memoryRecords(repo, landed);
  const times: number[] = [];
  for (const [n, head] of heads.entries()) {
    const request = requestFor(n, head.oid);
    await benchGit(remote, 'update-ref', `refs/signalbox/heads/${request.workItem}`, head.oid);
    const start = performance.now();
    await land(host, repo, records, request, landed);
    times.push(performance.now() - start);
  }
  return times;
}

async function land(
  host: GitHost,
  repo: Repo,
  records: LandingRecords,
  request: EnqueueRequest,
  landed: Landing[],
): Promise<void> {
  const prepared = await withGate(host, repo, (gate) => prepare(gate, records, request, null));
  if (prepared.kind !== 'planned') throw new Error(`not planned: ${JSON.stringify(prepared)}`);
  const { plan } = prepared;
  const result = await withGate(host, repo, (gate) =>
    publish(gate, records, plan, { kind: 'none', tree: plan.tree }, () => undefined),
  );
  if (result.kind !== 'landed') throw new Error(`not landed: ${JSON.stringify(result)}`);
  landed.push(result.landing);
}

/** The store's answers from memory: this bench is about git. */
function memoryRecords(repo: Repo, landed: Landing[]): LandingRecords {
  return {
    repo: () => Promise.resolve(repo),
    lastLanding: () => Promise.resolve(landed.at(-1) ?? null),
    landingOfEntry: () => Promise.resolve(null),
    landingOfTask: () => Promise.resolve(null),
    activeGates: () => Promise.resolve([]),
    unwanted: () => Promise.resolve(null),
  };
}

function requestFor(n: number, head: string): EnqueueRequest {
  const workItem = `ET-${String(n + 1).padStart(3, '0')}`;
  return {
    repo: 'bench',
    base: 'main',
    task: `bench/${workItem}`,
    workItem,
    generation: 1,
    head,
    try: 1,
    entry: contentId('bench', n),
    workflowId: `task/bench/${workItem}`,
    title: `Work ${n}`,
    priority: 'normal',
    enqueuedAt: '2026-01-01T00:00:00Z',
  };
}

function repoRow(remote: string, adoptedAt: string): Repo {
  return {
    id: 'bench',
    remote,
    remoteKey: remote,
    base: 'main',
    prefix: 'ET',
    config: {
      auth: { kind: 'none', ref: null },
      merge: { strategy: 'merge' },
      checkout: null,
      setup: null,
      checks: [],
      pipeline: null,
    },
    facts: { headsPrefix: 'refs/signalbox/heads/', tipPrefix: 'refs/signalbox/tip/', local: true, checkedOut: false },
    adoptedAt,
    createdAt: '2026-01-01T00:00:00Z',
  };
}
