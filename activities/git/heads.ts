/** Heads: from an agent's clone into the gate, looked at before anything uses them, and onto the remote. */
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { crashPoint } from '../crash-points.js';
import { lastWords } from './command.js';
import { withGate, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { ownerRef, takenOver } from './owner.js';
import { readRange } from './range.js';
import { baseRef, headRef, listRemote, push, readRemote, UPLOAD_PACK } from './remote.js';
import { remoteTaken } from './resolve.js';
import { rangeFault } from './validate.js';

const IMPORT_TIMEOUT = 5 * 60_000;
/**
 * The reading side ends before ours: a pipe in place of an object would hold it, and with it the lock, for ever. It
 * is in a group of its own (coreutils' timeout), so that our kill of the fetch would not reach it.
 */
const BOUNDED_UPLOAD_PACK = UPLOAD_PACK.replace('--upload-pack=', '--upload-pack=timeout -s KILL 240 ');

export interface ImportRequest {
  /** The agent's clone: its work tree. */
  clone: string;
  /** Branch in the clone, without refs/heads/. */
  branch: string;
  workItem: string;
  /** Commits are counted from here; null = from base. */
  previous: string | null;
}

export type ImportResult =
  | { kind: 'imported'; head: string; base: string; commits: number }
  /** A fault of the agent, with the reason for its next prompt. */
  | { kind: 'refused'; reason: string };

/** Brings the branch of a clone into the gate with every object checked. Runs nothing that the clone configures. */
export async function importHead(host: GitHost, repo: Repo, request: ImportRequest): Promise<ImportResult> {
  const suspicious = await cloneFault(path.join(request.clone, '.git'), request.branch);
  if (suspicious !== null) return { kind: 'refused', reason: suspicious };
  return withGate(host, repo, async (gate) => {
    const base = (await readRemote(gate, [baseRef(repo)])).get(baseRef(repo));
    if (base === undefined) throw new SignalboxError('git-infrastructure', `the remote has no branch ${repo.base}`);
    const local = `refs/gate/import/${request.workItem}`;
    await gate.run(['update-ref', '-d', local]);
    const fetched = await gate.run(
      [
        ...['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', BOUNDED_UPLOAD_PACK],
        ...['--', path.join(request.clone, '.git'), `+refs/heads/${request.branch}:${local}`],
      ],
      { protocols: 'file', timeout: IMPORT_TIMEOUT, answers: [0, 1, 128, -1] },
    );
    if (fetched.code !== 0) {
      const reason = lastWords(fetched.stderr);
      if (/No space left|Input\/output error|Unable to create/i.test(reason)) {
        throw new SignalboxError('git-infrastructure', `import: ${reason}`);
      }
      return { kind: 'refused', reason: `the branch ${request.branch} cannot be imported: ${reason}` };
    }
    const head = await gate.text(['rev-parse', '--verify', `${local}^{commit}`]);
    const range = await readRange(gate, base, head);
    if (range.kind === 'unrelated') return { kind: 'refused', reason: range.reason };
    const fault = range.kind === 'contained' ? null : await rangeFault(gate, range, head);
    if (fault !== null) return { kind: 'refused', reason: fault };
    return { kind: 'imported', head, base, commits: await countCommits(gate, head, [base, request.previous]) };
  });
}

async function countCommits(gate: Gate, head: string, without: readonly (string | null)[]): Promise<number> {
  const known = without.filter((oid) => oid !== null).map((oid) => `^${oid}`);
  const counted = await gate.run(['rev-list', '--count', head, ...known, '--'], { answers: [0, 128] });
  if (counted.code === 0) return Number(counted.stdout);
  // The head before this run is not in this gate: all that base lacks was added, for all we know.
  return Number(await gate.text(['rev-list', '--count', head, ...known.slice(0, 1), '--']));
}

/** A repository that points somewhere else would have us read what is not the agent's. */
async function cloneFault(gitDir: string, branch: string): Promise<string | null> {
  for (const name of ['', 'objects', 'refs', 'refs/heads', 'objects/info', 'objects/pack']) {
    const found = await lstat(path.join(gitDir, name)).catch(() => null);
    if (found === null && /^$|^objects$|^refs$/.test(name)) return `the clone has no ${path.join('.git', name)}`;
    if (found !== null && !found.isDirectory()) return `${path.join('.git', name)} of the clone is not a directory`;
  }
  // git follows links among refs, round and round.
  const refs = await readdir(path.join(gitDir, 'refs'), { recursive: true, withFileTypes: true });
  if (refs.some((entry) => entry.isSymbolicLink())) return 'the clone has a link among its .git/refs';
  for (const name of ['HEAD', 'config', 'packed-refs', `refs/heads/${branch}`]) {
    const found = await lstat(path.join(gitDir, name)).catch(() => null);
    if (found !== null && !found.isFile()) return `.git/${name} of the clone is not a file`;
  }
  for (const name of [
    'commondir',
    'objects/info/alternates',
    'objects/info/http-alternates',
    'shallow',
    'info/grafts',
  ]) {
    const found = await lstat(path.join(gitDir, name)).catch(() => null);
    if (found !== null) return `the clone has a .git/${name}`;
  }
  return null;
}

export type PushHeadResult =
  | { kind: 'pushed'; head: string }
  /** Somebody else moved it: nothing was changed. */
  | { kind: 'lease-lost'; found: string | null }
  | { kind: 'refused'; reason: string };

/**
 * Makes `head` (imported before) the head of the work item on the remote, and reads it back. `expect`: what is there
 * now, null for nothing; without it, whatever is found. Safe to repeat.
 */
export async function pushHead(
  host: GitHost,
  repo: Repo,
  workItem: string,
  head: string,
  expect?: string | null,
): Promise<PushHeadResult> {
  return withGate(host, repo, async (gate) => {
    const ref = headRef(repo, workItem);
    const found = await listRemote(host, gate.remote, [ref, ownerRef(repo.facts)]);
    if (takenOver(gate, found)) return { kind: 'refused', reason: remoteTaken(gate).reason };
    const before = found.get(ref) ?? null;
    if (before === head) return { kind: 'pushed', head };
    if (expect !== undefined && before !== expect) return { kind: 'lease-lost', found: before };
    crashPoint('head-before-push');
    const pushed = await push(gate, [{ ref, oid: head, expect: before }]);
    crashPoint('head-after-push');
    const after = (await listRemote(host, gate.remote, [ref])).get(ref) ?? null;
    if (after === head) return { kind: 'pushed', head };
    if (pushed.kind === 'refused') return { kind: 'refused', reason: pushed.reason };
    if (after !== before) return { kind: 'lease-lost', found: after };
    throw new SignalboxError('git-infrastructure', `the head was not pushed: ${pushed.kind}`);
  });
}
