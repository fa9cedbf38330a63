/** Reads content of a repository for people: documents, files of base, diffs. Through the gate, so nobody's settings. */
import { SignalboxError } from '../../domain/errors.js';
import type { AuditHistory } from '../../domain/merge-queue/audit-types.js';
import type { FoundLandings } from '../../domain/merge-queue/rebuild.js';
import { pathFault } from '../../domain/merge-queue/tree-rules.js';
import type { Repo } from '../../domain/repos.js';
import { readHistory, type HistoryRequest } from './audit.js';
import { hasObject, withGate, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { previewLanding, type MergePreview } from './preview.js';
import { findLandings } from './rebuild.js';
import { baseRef, fetchRefs, listRemote, openRemote, readRemote } from './remote.js';

export interface GitReader {
  /** The blob at `path` in commit `sha`; null when the commit has no such file. Throws `not-found` for the commit. */
  artifact(repo: Repo, sha: string, path: string): Promise<Buffer | null>;
  /** The blob at `path` at the tip of the base branch. */
  baseFile(repo: Repo, path: string): Promise<Buffer | null>;
  /** What `head` changes since it left `base` (three dots), as a unified diff without external drivers. */
  diff(repo: Repo, head: string, base: string): Promise<string>;
  /**
   * What landing the head of a work item now would come to. Throws `not-found`, `not-acceptable` for what would be
   * refused, `git-infrastructure`, `gate-busy`.
   */
  mergePreview(repo: Repo, work: { workItem: string; head: string; stackBase: string | null }): Promise<MergePreview>;
  /** Tip of a branch on the remote, asked for now; null when there is none. */
  tip(repo: Repo, branch: string): Promise<string | null>;
  /** What the audit needs of the remote. Throws `not-found` without the branch, `not-acceptable` for a wrong `since`. */
  history(repo: Repo, request: HistoryRequest): Promise<AuditHistory>;
  /** The landings on a base branch, by git alone. Throws `not-found` without the branch. */
  landings(repo: Repo, base: string): Promise<FoundLandings>;
}

const OID = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

export function createGitReader(host: GitHost): GitReader {
  return {
    artifact: (repo, sha, path) =>
      withGate(host, repo, async (gate) => {
        await requireCommit(gate, sha);
        return blob(gate, sha, path);
      }),
    baseFile: (repo, path) =>
      withGate(host, repo, async (gate) => {
        const base = (await readRemote(gate, [baseRef(repo)])).get(baseRef(repo));
        if (base === undefined) throw new SignalboxError('not-found', `the remote has no branch ${repo.base}`);
        return blob(gate, base, path);
      }),
    diff: (repo, head, base) =>
      withGate(host, repo, async (gate) => {
        await requireCommit(gate, head);
        await requireCommit(gate, base);
        const args = ['diff', '--no-ext-diff', '--no-textconv', '--no-color', '--end-of-options', `${base}...${head}`];
        return (await gate.run(args)).stdout;
      }),
    mergePreview: (repo, work) => previewLanding(host, repo, work),
    tip: async (repo, branch) => {
      const ref = `refs/heads/${branch}`;
      const remote = await openRemote(host, repo.remote, repo.config.auth);
      return (await listRemote(host, remote, [ref])).get(ref) ?? null;
    },
    history: (repo, request) => readHistory(host, repo, request),
    landings: (repo, base) => findLandings(host, repo, base),
  };
}

async function requireCommit(gate: Gate, sha: string): Promise<void> {
  if (!OID.test(sha)) throw new SignalboxError('not-found', `${sha} is no commit id`);
  if (await hasObject(gate, sha)) return;
  const heads = await listRemote(gate.host, gate.remote, []);
  const ours = [...heads.keys()].filter(
    (ref) => ref.startsWith(gate.repo.facts.headsPrefix) || ref === baseRef(gate.repo),
  );
  if (ours.length > 0) await fetchRefs(gate, ours);
  if (!(await hasObject(gate, sha))) throw new SignalboxError('not-found', `there is no commit ${sha}`);
}

/** Only a plain file is content: a symbolic link has a target, not a text. */
async function blob(gate: Gate, commit: string, path: string): Promise<Buffer | null> {
  if (pathFault(path) !== null) return null;
  const listed = await gate.run(['--literal-pathspecs', 'ls-tree', '-z', commit, '--', path]);
  const match = /^100\d{3} blob ([0-9a-f]+)\t/.exec(listed.stdout);
  if (match?.[1] === undefined) return null;
  return Buffer.from((await gate.run(['cat-file', 'blob', match[1]], { binary: true })).stdout, 'latin1');
}
