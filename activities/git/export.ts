/**
 * Writes a tree into a directory, byte for byte as committed: no attribute of the tree (line ends, keywords, filters,
 * encodings) has a say, and there is no `.git` that a check could use or spoil.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../../domain/errors.js';
import type { CheckSource } from '../../domain/checks/types.js';
import type { Repo } from '../../domain/repos.js';
import type { GitCall } from './command.js';
import { computePlan } from './compute.js';
import { withGate, hasObject, readCommit, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { ensurePlanObjects } from './publish.js';
import { baseRef, headRef, readRemote, UPLOAD_PACK } from './remote.js';

/** Outranks every `.gitattributes`. */
const AS_COMMITTED = '* -text -eol -ident -filter -working-tree-encoding -crlf\n';

export interface Exported {
  commit: string;
  tree: string;
}

/** The commit and tree that a source names, without writing anything: what a verdict is keyed by. */
export async function sourceTree(host: GitHost, repo: Repo, source: CheckSource): Promise<Exported> {
  return withGate(host, repo, (gate) => locate(gate, source));
}

/**
 * Exports the source to `dir` (made, must be empty). `history`: with a throw-away `.git` that holds the history of the
 * commit. Throws `git-infrastructure` where the remote no longer has the source.
 */
export async function exportTree(
  host: GitHost,
  repo: Repo,
  source: CheckSource,
  dir: string,
  history = false,
): Promise<Exported> {
  const found = await sourceTree(host, repo, source);
  await mkdir(dir, { recursive: true });
  const gateDir = host.paths.gate(repo.id);
  if (!history) {
    await withScratchIndex(host, gateDir, dir, async (call) => {
      await host.git.run(['read-tree', found.tree], call);
      await host.git.run(['checkout-index', '--all', '--force', '--quiet'], call);
    });
    return found;
  }
  const scratch = path.join(dir, '.git');
  await initScratch(host, scratch);
  const call = { gitDir: scratch, cwd: dir, env: { GIT_WORK_TREE: dir, GIT_INDEX_FILE: path.join(scratch, 'index') } };
  const anyCommit = `${UPLOAD_PACK.replace(/ upload-pack$/, '')} -c uploadpack.allowAnySHA1InWant=true upload-pack`;
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', anyCommit];
  const target = `${found.commit}:refs/heads/signalbox-check`;
  await host.git.run([...fetch, '--', gateDir, target], { gitDir: scratch, protocols: 'file' });
  await host.git.run(['symbolic-ref', 'HEAD', 'refs/heads/signalbox-check'], { gitDir: scratch });
  await host.git.run(['config', '--local', 'core.bare', 'false'], { gitDir: scratch });
  await host.git.run(['read-tree', found.tree], call);
  await host.git.run(['checkout-index', '--all', '--force', '--quiet', '--index'], call);
  return found;
}

async function initScratch(host: GitHost, scratch: string): Promise<void> {
  await host.git.run(['init', '--quiet', '--bare', '--template=', '--initial-branch=none', scratch]);
  await mkdir(path.join(scratch, 'info'), { recursive: true });
  await writeFile(path.join(scratch, 'info', 'attributes'), AS_COMMITTED);
}

/** Git with an index of its own on the objects of the gate. Reading them needs no lock: a gate that stands loses none. */
async function withScratchIndex(
  host: GitHost,
  gateDir: string,
  workTree: string,
  action: (call: GitCall) => Promise<void>,
): Promise<void> {
  const scratch = await mkdtemp(path.join(host.privateDir, 'export-'));
  try {
    await initScratch(host, scratch);
    const objects = { GIT_OBJECT_DIRECTORY: path.join(gateDir, 'objects') };
    const env = { GIT_WORK_TREE: workTree, GIT_INDEX_FILE: path.join(scratch, 'index'), ...objects };
    await action({ gitDir: scratch, cwd: workTree, env });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A path of a tree; the bytes of its name as latin1 characters. */
export interface TreeEntry {
  path: string;
  /** Six digits; 000000 in a difference: it is gone. */
  mode: string;
  oid: string;
}

/** All files, links and submodules of a tree. The gate has it: it was asked for by `sourceTree`. */
export async function listTree(host: GitHost, repo: Repo, tree: string): Promise<TreeEntry[]> {
  const call = { gitDir: host.paths.gate(repo.id), binary: true };
  const { stdout } = await host.git.run(['ls-tree', '-r', '-z', '--full-tree', tree], call);
  return stdout
    .split('\0')
    .slice(0, -1)
    .map((line) => {
      const tab = line.indexOf('\t');
      const [mode = '', , oid = ''] = line.slice(0, tab).split(' ');
      return { path: line.slice(tab + 1), mode, oid };
    });
}

/** What is other in `to` than in `from`. Throws `git-infrastructure` where the gate lacks one of them. */
export async function diffTrees(host: GitHost, repo: Repo, from: string, to: string): Promise<TreeEntry[]> {
  const args = ['diff-tree', '-r', '-z', '--raw', '--no-abbrev', '--no-renames', '--no-ext-diff', from, to];
  const { stdout } = await host.git.run(args, { gitDir: host.paths.gate(repo.id), binary: true });
  const fields = stdout.split('\0').slice(0, -1);
  return fields.flatMap((field, i) => {
    if (i % 2 === 1) return [];
    const [, mode = '', , oid = ''] = field.split(' ');
    return [{ path: fields[i + 1] ?? '', mode, oid }];
  });
}

/** Writes these files and links, and nothing else, to `dir` (must be empty), in the same way as `exportTree`. */
export async function exportEntries(
  host: GitHost,
  repo: Repo,
  entries: readonly TreeEntry[],
  dir: string,
): Promise<void> {
  await withScratchIndex(host, host.paths.gate(repo.id), dir, async (call) => {
    const lines = entries.map(({ mode, oid, path: name }) => `${mode} ${oid}\t${name}\0`).join('');
    await host.git.run(['update-index', '-z', '--index-info'], { ...call, input: Buffer.from(lines, 'latin1') });
    await host.git.run(['checkout-index', '--all', '--force', '--quiet'], call);
  });
}

/** Has the commit of a source in the gate, made or fetched where need be. */
export async function locate(gate: Gate, source: CheckSource): Promise<Exported> {
  if (source.kind === 'plan') return locatePlan(gate, source.plan);
  if (!(await hasObject(gate, source.commit))) {
    const ref = source.kind === 'head' ? headRef(gate.repo, source.workItem) : `refs/heads/${source.branch}`;
    await readRemote(gate, [ref, baseRef(gate.repo)]);
  }
  if (!(await hasObject(gate, source.commit))) throw gone(source.commit);
  return { commit: source.commit, tree: (await readCommit(gate, source.commit)).tree };
}

async function locatePlan(gate: Gate, plan: Extract<CheckSource, { kind: 'plan' }>['plan']): Promise<Exported> {
  if (await hasObject(gate, plan.commit))
    return { commit: plan.commit, tree: (await readCommit(gate, plan.commit)).tree };
  if (!(await ensurePlanObjects(gate, plan))) throw gone(plan.entry.head);
  const made = await computePlan(gate, plan);
  if (made.kind === 'computed' && made.commit === plan.commit) return { commit: made.commit, tree: made.tree };
  throw new SignalboxError('git-infrastructure', `plan ${plan.plan} gives another landing on this host`);
}

const gone = (oid: string): SignalboxError =>
  new SignalboxError('git-infrastructure', `neither this gate nor the remote has the commit ${oid}`);
