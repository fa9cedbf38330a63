/**
 * Writes a tree into a directory, byte for byte as committed: no attribute of the tree (line ends, keywords, filters,
 * encodings) has a say, and there is no `.git` that a check could use or spoil.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../../domain/errors.js';
import type { CheckSource } from '../../domain/checks/types.js';
import type { Repo } from '../../domain/repos.js';
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
  const { found, gateDir } = await withGate(host, repo, async (gate) => ({
    found: await locate(gate, source),
    gateDir: gate.dir,
  }));
  // Reading the objects needs no lock: a gate never loses any while it stands.
  await mkdir(dir, { recursive: true });
  const scratch = history ? path.join(dir, '.git') : await mkdtemp(path.join(host.privateDir, 'export-'));
  try {
    await host.git.run(['init', '--quiet', '--bare', '--template=', '--initial-branch=none', scratch]);
    await mkdir(path.join(scratch, 'info'), { recursive: true });
    await writeFile(path.join(scratch, 'info', 'attributes'), AS_COMMITTED);
    const call = {
      gitDir: scratch,
      cwd: dir,
      env: {
        GIT_WORK_TREE: dir,
        GIT_INDEX_FILE: path.join(scratch, 'index'),
        ...(history ? {} : { GIT_OBJECT_DIRECTORY: path.join(gateDir, 'objects') }),
      },
    };
    if (history) {
      const anyCommit = `${UPLOAD_PACK.replace(/ upload-pack$/, '')} -c uploadpack.allowAnySHA1InWant=true upload-pack`;
      const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', anyCommit];
      const target = `${found.commit}:refs/heads/signalbox-check`;
      await host.git.run([...fetch, '--', gateDir, target], { gitDir: scratch, protocols: 'file' });
      await host.git.run(['symbolic-ref', 'HEAD', 'refs/heads/signalbox-check'], { gitDir: scratch });
      await host.git.run(['config', '--local', 'core.bare', 'false'], { gitDir: scratch });
    }
    await host.git.run(['read-tree', found.tree], call);
    await host.git.run(['checkout-index', '--all', '--force', '--quiet', ...(history ? ['--index'] : [])], call);
  } finally {
    if (!history) await rm(scratch, { recursive: true, force: true });
  }
  return found;
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
