/**
 * The exports that checks run on, kept from one check to the next: for each repository (and way to set it up) some
 * directories that hold a tree already, of which only what differs from the next tree is written.
 *
 *   (nothing) ── made by git ──→ in use: exports/<run> ──── park ────→ warm-exports/<pool>/<run>
 *                                   ↑      │ anything odd: thrown away        │
 *                                   └──────┴──────── take: proven exact ──────┘
 *
 * A directory changes hands by one rename, so two never have it, and a worker that dies leaves it in one place: under the
 * name of a run, where whoever repeats that run begins by throwing it away (or, once its commands run, uses it as it is).
 * What a check left is not looked at before somebody takes the export: then it is proven and switched in one pass
 * (exact.ts). Whatever cannot be proven is made anew, so the worst that an export can be is cold.
 */
import { existsSync, lstatSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { contentId } from '../../domain/content-id.js';
import type { CheckSource, SetupConfig } from '../../domain/checks/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import type { AgentHost } from '../agents/host.js';
import { removeGone, removeTree } from '../agents/remove-tree.js';
import { cacheEntry, within } from '../agents/setup-cache.js';
import {
  diffTrees,
  exportEntries,
  exportTree,
  listTree,
  sourceTree,
  type Exported,
  type TreeEntry,
} from '../git/export.js';
import { keepProven, missing, moveIn, nodesAt, stampAll, type Places } from './exact.js';
import { readFacts, writeFacts, type Facts } from './facts.js';
import { applyDiff, find, nodesOf, put, remove } from './nodes.js';
import { latin1, Stamper } from './stamps.js';

export interface OpenExport extends Exported {
  cwd: string;
  /** Whether it was warm. */
  warm: boolean;
  /** `restored`: its cached paths are there. `whole`: nothing of it can be cached, since the tree has files there. */
  setup: 'to-run' | 'restored' | 'whole';
}

/** Of a host, as far as exports need it. */
type Host = Pick<AgentHost, 'paths' | 'git' | 'checks'>;

/** The run that an export is for. */
interface ForRun {
  id: string;
  /** Signs what is known of the export. */
  key: string;
  /** The keys of an earlier run, from where only we can write. */
  keysOf: (run: string) => Promise<string[]>;
}

const poolOf = (host: Host, repo: Repo): string => {
  const { setup } = repo.config;
  const how = setup === null ? [] : [setup.command, setup.cache, setup.cacheKey].map((list) => JSON.stringify(list));
  return path.join(host.paths.warmExports, `${repo.id}~${contentId(...how).slice(0, 16)}`);
};

const factsFile = (tree: string): string => `${tree}.facts`;
const workDir = (cwd: string): string => `${cwd}.work`;

/** The run whose directory a name below `exports` belongs to. */
export const runOfExport = (name: string): string => name.replace(/\.work$/, '');

/**
 * Makes `exports/<run>` hold exactly the tree of the source. Throws
 * `git-infrastructure` where the remote no longer has the source.
 */
export async function openExport(host: Host, repo: Repo, source: CheckSource, run: ForRun): Promise<OpenExport> {
  const cwd = path.join(host.paths.exports, run.id);
  await removeTree(cwd);
  await removeTree(workDir(cwd));
  const found = await sourceTree(host.git, repo, source);
  const stamper = new Stamper();
  const warm = await takeWarm(host, repo, found.tree, { cwd, stamper }, run.keysOf);
  const facts = warm ?? (await makeCold(host, repo, source, found.tree, cwd));
  const setup = await restoreCache(host, repo, facts, { cwd, stamper });
  const file = factsFile(path.join(poolOf(host, repo), run.id));
  await mkdir(path.dirname(file), { recursive: true });
  if (host.checks.warmExports > 0 && (await stampAll(cwd, facts.nodes, stamper))) {
    await writeFacts(file, facts, run.key);
  }
  return { ...found, cwd, warm: warm !== null, setup };
}

async function makeCold(host: Host, repo: Repo, source: CheckSource, tree: string, cwd: string): Promise<Facts> {
  await exportTree(host.git, repo, source, cwd);
  return { tree, cache: null, dirMode: lstatSync(cwd).mode, nodes: nodesOf(await listTree(host.git, repo, tree)) };
}

interface Target {
  cwd: string;
  stamper: Stamper;
}

/** Takes the exports of the pool, newest first, until one can be switched to the tree. */
async function takeWarm(
  host: Host,
  repo: Repo,
  tree: string,
  target: Target,
  keysOf: ForRun['keysOf'],
): Promise<Facts | null> {
  for (const dir of (await parked(poolOf(host, repo))).map((p) => p.dir)) {
    const facts = await claim(dir, target.cwd, keysOf);
    if (facts === null) continue;
    try {
      await switchTo(host, repo, facts, tree, target);
      return facts;
    } catch {
      // It may hold anything by now, or be made to fail: another one, or a new one, does as well.
      await removeTree(target.cwd);
    }
  }
  return null;
}

/** Null when somebody else has it, or nothing is known of it (then it is gone). */
async function claim(dir: string, cwd: string, keysOf: ForRun['keysOf']): Promise<Facts | null> {
  try {
    await mkdir(path.dirname(cwd), { recursive: true });
    await rename(dir, cwd);
  } catch {
    return null; // another check was faster, or something about it is odd: the janitor sees to that
  }
  const facts = readFacts(factsFile(dir), await keysOf(path.basename(dir)));
  await rm(factsFile(dir), { recursive: true, force: true });
  if (facts === null || !lstatSync(cwd).isDirectory()) {
    await removeTree(cwd);
    return null;
  }
  return facts;
}

async function switchTo(host: Host, repo: Repo, facts: Facts, tree: string, { cwd, stamper }: Target): Promise<void> {
  const { nodes } = facts;
  const work = workDir(cwd);
  const places: Places & { fresh: string } = {
    ...{ root: cwd, junk: path.join(work, 'junk'), spare: path.join(work, 'spare'), fresh: path.join(work, 'fresh') },
  };
  for (const dir of [places.junk, places.spare, places.fresh]) await mkdir(dir, { recursive: true });
  try {
    if (lstatSync(work).mode !== facts.dirMode) throw new SignalboxError('host-infrastructure', 'another umask');
    const changes = facts.tree === tree ? [] : await diffTrees(host.git, repo, facts.tree, tree);
    if (facts.cache !== null && touchesSetup(changes, repo.config.setup)) forgetCache(facts, repo.config.setup);
    applyDiff(nodes, changes);
    facts.tree = tree;
    await keepProven(places, nodes, stamper);
    if (missing(nodes).some(([, leaf]) => leaf.oid === null)) {
      // Only a setup can make what is missing there: all that it made goes.
      forgetCache(facts, repo.config.setup);
      await keepProven(places, nodes, stamper);
    }
    const entries = missing(nodes).flatMap(([at, { mode, oid }]) => (oid === null ? [] : [{ path: at, mode, oid }]));
    if (entries.length > 0) {
      await exportEntries(host.git, repo, entries, places.fresh);
      await moveIn(
        places.fresh,
        cwd,
        entries.map((entry) => entry.path),
      );
    }
  } finally {
    // Nobody waits for it: what is left of it is the janitor's.
    void removeTree(work).catch(() => undefined);
  }
}

/** Cached paths, as names from the root; null where one of them is not below it. */
function cachedNames(setup: SetupConfig): string[][] | null {
  const names = setup.cache.map((relative) => path.posix.normalize(relative).replace(/\/$/, '').split('/'));
  const inside = names.every(([first]) => first !== '' && first !== '.' && first !== '..');
  return inside ? names.map((all) => all.map(latin1)) : null;
}

/** Whether a change is of a key file, or lies where the setup's output is. */
function touchesSetup(changes: readonly TreeEntry[], setup: SetupConfig | null): boolean {
  if (setup === null) return false;
  const places = [...(cachedNames(setup) ?? []).map((names) => names.join('/'))];
  const keys = setup.cacheKey.map((key) => latin1(path.posix.normalize(key)));
  return changes.some(({ path: changed }) =>
    [...places, ...keys].some((at) => at === changed || at.startsWith(`${changed}/`) || changed.startsWith(`${at}/`)),
  );
}

function forgetCache(facts: Facts, setup: SetupConfig | null): void {
  facts.cache = null;
  for (const names of setup === null ? [] : (cachedNames(setup) ?? [])) remove(facts.nodes, names);
}

/** Brings what the setup made of the same key files, unless it is there: it was proven with the rest. */
async function restoreCache(host: Host, repo: Repo, facts: Facts, target: Target): Promise<OpenExport['setup']> {
  const { setup } = repo.config;
  if (setup === null || setup.cache.length === 0) return 'to-run';
  const names = cachedNames(setup);
  if (names === null) return 'to-run';
  if (facts.cache !== null) return 'restored';
  // Else a file of another tree, out of the cache, would lie in place of one of this tree.
  if (names.some((all) => find(facts.nodes, all) !== undefined)) return 'whole';
  const { command, cache, cacheKey } = setup;
  const cacheDir = host.paths.setupCache(repo.id);
  const entry = cacheEntry({ command, cache, cacheKey, cacheDir, env: {}, timeoutMs: 0 }, target.cwd);
  if (entry === null || !existsSync(entry)) return 'to-run';
  for (const [i, relative] of cache.entries()) {
    const to = within(target.cwd, relative);
    const from = path.join(entry, String(i));
    if (to === null || !existsSync(from)) return 'to-run';
    await mkdir(path.dirname(to), { recursive: true });
    const copied = await execa('cp', ['-a', '--reflink=auto', '--', from, to], { reject: false, stdio: 'ignore' });
    if (copied.exitCode !== 0) {
      await removeTree(to);
      return 'to-run';
    }
  }
  const made = await Promise.all(cache.map((relative) => nodesAt(path.join(target.cwd, relative), target.stamper)));
  const known = made.filter((node) => node !== null);
  if (known.length === made.length) {
    for (const [i, node] of known.entries()) put(facts.nodes, names[i] ?? [], node);
    facts.cache = path.basename(entry);
  }
  return 'restored';
}

/** The check on it is over and every process of it ended: keeps the export for the next one. */
export async function parkExport(host: Host, repo: Repo, runId: string): Promise<void> {
  const cwd = path.join(host.paths.exports, runId);
  const dir = path.join(poolOf(host, repo), runId);
  if (!existsSync(factsFile(dir))) {
    await removeTree(cwd);
    return;
  }
  // One that cannot be moved is odd.
  await rename(cwd, dir).catch(() => removeTree(cwd));
  const all = await allParked(host);
  // Out of the way at once; what is left of it is the janitor's.
  for (const one of all.slice(host.checks.warmExports)) void throwAway(one).catch(() => undefined);
}

async function throwAway({ dir }: Parked): Promise<void> {
  await rm(factsFile(dir), { recursive: true, force: true });
  await removeTree(dir);
}

interface Parked {
  dir: string;
  /** Epoch ms. */
  since: number;
}

/** Newest first. */
async function parked(pool: string): Promise<Parked[]> {
  const names = (await readdir(pool).catch(() => [])).filter((name) => !/\.(?:facts|gone-[0-9a-f]{8})$/.test(name));
  const all = names.flatMap((name) => {
    const dir = path.join(pool, name);
    const found = lstatSync(dir, { throwIfNoEntry: false });
    return found === undefined ? [] : [{ dir, since: found.ctimeMs }];
  });
  return all.sort((a, b) => b.since - a.since);
}

async function allParked(host: Host): Promise<Parked[]> {
  const pools = await readdir(host.paths.warmExports).catch(() => []);
  const all = await Promise.all(pools.map((pool) => parked(path.join(host.paths.warmExports, pool))));
  return all.flat().sort((a, b) => b.since - a.since);
}

/** How long an export is kept that no check asks for. */
const IDLE_MS = 24 * 3600_000;

/** Sizes, by place and moment of parking: nobody works in an export that is parked. */
const sizes = new Map<string, number>();

/** Keeps the exports within their bounds, and takes away what dead workers left. Gives what was removed. */
export async function sweepWarm(host: Host): Promise<string[]> {
  for (const pool of await readdir(host.paths.warmExports).catch(() => [])) {
    await sweepPool(host, path.join(host.paths.warmExports, pool));
  }
  const removed: string[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  for (const [i, one] of (await allParked(host)).entries()) {
    const name = `${one.dir} ${one.since}`;
    const size = sizes.get(name) ?? (await sizeOf(one.dir));
    sizes.set(name, size);
    seen.add(name);
    bytes += size;
    const { warmExports, warmBytes } = host.checks;
    if (i < warmExports && bytes <= warmBytes && Date.now() - one.since < IDLE_MS) continue;
    bytes -= size;
    await throwAway(one);
    removed.push(one.dir);
  }
  for (const name of sizes.keys()) if (!seen.has(name)) sizes.delete(name);
  return removed;
}

async function sweepPool(host: Host, pool: string): Promise<void> {
  await removeGone(pool);
  for (const name of await readdir(pool)) {
    const run = name.replace(/\.facts$/, '');
    const inUse = existsSync(path.join(pool, run)) || existsSync(path.join(host.paths.exports, run));
    if (run !== name && !inUse) await rm(path.join(pool, name), { recursive: true, force: true });
  }
}

/** Bytes on disk; what cannot be measured counts as too much. */
async function sizeOf(dir: string): Promise<number> {
  const { stdout, exitCode } = await execa('du', ['-skx', '--', dir], { reject: false });
  return exitCode === 0 ? Number(stdout.split('\t')[0]) * 1024 : Infinity;
}
