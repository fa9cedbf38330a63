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
import { bareWay, benchGit, worktreeWay, type Way } from './baselines.js';
import { countArgument, median, percentile, printResult, round, timed } from './figures.js';
import { benchRepo } from './repo-row.js';
import { createSynthetic, type Synthetic } from './synthetic-repository.js';

const FILES = 20_000;
const LANDINGS = countArgument(1, 'landings', 30);
/** They take many seconds each. */
const WORKTREE_LANDINGS = countArgument(2, 'worktree landings', 3);

const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-bench-'));
try {
  const make = (name: string, count: number): Promise<Synthetic> => createSynthetic(path.join(dir, name), FILES, count);
  const remotes = { bare: await make('bare.git', LANDINGS), ours: await make('ours.git', LANDINGS) };
  const ways = { bare: await bareWay(dir, remotes.bare), ours: await ourWay(remotes.ours) };
  const times: { bare: number[]; ours: number[] } = { bare: [], ours: [] };
  for (let n = 0; n < LANDINGS; n++) {
    // In turns, so that whatever else the machine does hits both.
    for (const way of n % 2 === 0 ? (['bare', 'ours'] as const) : (['ours', 'bare'] as const)) {
      const head = remotes[way].heads[n];
      if (head !== undefined) times[way].push(await timed(() => ways[way].land(head)));
    }
  }
  const classic = await make('worktree.git', WORKTREE_LANDINGS);
  const worktreeWays = await worktreeWay(dir, classic);
  const worktree: number[] = [];
  for (const head of classic.heads) worktree.push(await timed(() => worktreeWays.land(head)));
  // The first of each also fills caches (the gate's first fetch, git's first walk): it is no landing like the others.
  const [bare, ours] = [times.bare.slice(1), times.ours.slice(1)];
  const [a, us, b] = [median(bare), median(ours), median(worktree)];
  printResult('landing', us / a, 'fetch, merge-tree, commit-tree, leased push and read-back, bare', {
    files: FILES,
    landings: LANDINGS,
    oursMs: round(us),
    oursP95Ms: round(percentile(ours, 0.95)),
    bareMs: round(a),
    bareP95Ms: round(percentile(bare, 0.95)),
    worktreeMs: round(b),
    landingsPerMinute: Math.floor(60_000 / us),
    timesFasterThanWorktree: round(b / us),
  });
} finally {
  await rm(dir, { recursive: true, force: true });
}

async function ourWay({ remote, heads }: Synthetic): Promise<Way> {
  const base = await benchGit(remote, 'rev-parse', 'refs/heads/main');
  await benchGit(remote, 'update-ref', 'refs/signalbox/tip/main', base);
  const repo = benchRepo(remote, base);
  const host = createGitHost({ paths: hostPaths(path.join(dir, 'host')), lookup: (name) => process.env[name] });
  const landed: Landing[] = [];
  const records = memoryRecords(repo, landed);
  const requests = new Map(heads.map((head, n) => [head.oid, requestFor(n, head.oid)]));
  for (const { workItem, head } of requests.values()) {
    await benchGit(remote, 'update-ref', `refs/signalbox/heads/${workItem}`, head);
  }
  return {
    async land({ oid }) {
      const request = requests.get(oid);
      if (request !== undefined) await land(host, repo, records, request, landed);
    },
  };
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
    isFix: () => Promise.resolve(false),
    verdictOf: () => Promise.resolve(null),
    approvals: () => Promise.resolve({ needed: [], decisions: [] }),
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
