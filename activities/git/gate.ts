/**
 * The gate: a private bare repository per registered repository, where imports are looked at and landings are made.
 * It holds no authoritative branch and no setting of anybody else, and is made anew whenever it looks damaged.
 */
import { access, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { SignalboxError } from '../../domain/errors.js';
import { formatCommit, parseCommit, type CommitObject } from '../../domain/merge-queue/commit.js';
import type { Repo } from '../../domain/repos.js';
import type { GitCall, GitResult } from './command.js';
import type { GitHost } from './host.js';
import { withFlock } from './lock.js';
import { openRemote, type Remote } from './remote.js';

const MARKER = 'signalbox-gate';
const SUSPECT = 'signalbox-suspect';
const DAMAGE =
  /bad object|corrupt|missing (?:blob|tree|commit|object)|unable to read|not a valid object|is empty|broken|could not read|failed to traverse/i;

export interface Gate {
  host: GitHost;
  repo: Repo;
  dir: string;
  remote: Remote;
  run(args: readonly string[], call?: GitCall): Promise<GitResult>;
  /** What was found out under this lock and cannot change: commits by id, and who is in whose history. */
  facts: { commits: Map<string, CommitObject & { oid: string }>; ancestry: Map<string, boolean> };
  /** Standard output without the last line end. */
  text(args: readonly string[], call?: GitCall): Promise<string>;
}

/** Runs `action` in the gate of `repo` while holding its lock. Throws `gate-busy`, `git-infrastructure`. */
export async function withGate<T>(host: GitHost, repo: Repo, action: (gate: Gate) => Promise<T>): Promise<T> {
  const dir = host.paths.gate(repo.id);
  return withFlock(`${dir.replace(/\.git$/, '')}.flock`, host.lockWaitMs, async (fd) => {
    await openDirectory(host, repo, dir);
    const run = (args: readonly string[], call: GitCall = {}): Promise<GitResult> =>
      host.git.run(args, { gitDir: dir, lockFd: fd, ...call });
    const remote = await openRemote(host, repo.remote, repo.config.auth);
    const text = async (args: readonly string[], call?: GitCall): Promise<string> =>
      (await run(args, call)).stdout.replace(/\n$/, '');
    try {
      return await action({ host, repo, dir, remote, facts: { commits: new Map(), ancestry: new Map() }, run, text });
    } catch (err) {
      if (err instanceof SignalboxError && err.code === 'git-infrastructure' && DAMAGE.test(err.message)) {
        await writeFile(path.join(dir, SUSPECT), err.message);
      }
      throw err;
    }
  });
}

async function openDirectory(host: GitHost, repo: Repo, dir: string): Promise<void> {
  const identity = `1 ${repo.remoteKey} ${repo.base}\n`;
  const found = await readFile(path.join(dir, MARKER), 'utf8').catch(() => null);
  const sound = found === identity && !(await exists(dir, SUSPECT)) && (await exists(dir, 'HEAD'));
  // An alternate would let something outside decide what an object is.
  if (sound && !(await exists(dir, 'objects/info/alternates'))) return removeOwnLocks(dir);
  await rm(dir, { recursive: true, force: true });
  const fresh = `${dir}.${randomUUID()}.new`;
  await mkdir(path.dirname(dir), { recursive: true });
  await host.git.run(['init', '--quiet', '--bare', '--template=', '--initial-branch=none', fresh]);
  await writeFile(path.join(fresh, MARKER), identity);
  await rename(fresh, dir);
}

const exists = (dir: string, name: string): Promise<boolean> =>
  access(path.join(dir, name)).then(
    () => true,
    () => false,
  );

/** Whoever left a lock file here is gone: we hold the flock that every writer holds. */
async function removeOwnLocks(dir: string): Promise<void> {
  const top = (await readdir(dir)).filter((name) => name.endsWith('.lock'));
  const refs = (await readdir(path.join(dir, 'refs'), { recursive: true })).filter((name) => name.endsWith('.lock'));
  for (const name of [...top, ...refs.map((ref) => path.join('refs', ref))]) await rm(path.join(dir, name));
}

export async function hasObject(gate: Gate, oid: string): Promise<boolean> {
  if (gate.facts.commits.has(oid)) return true;
  return (await gate.run(['cat-file', '-e', `${oid}^{commit}`], { answers: [0, 1, 128] })).code === 0;
}

/** Whether `a` is `b` or in its history. A commit that this gate lacks is in nobody's history that it has. */
export async function isAncestor(gate: Gate, a: string, b: string): Promise<boolean> {
  if (a === b) return true;
  const key = `${a} ${b}`;
  const known = gate.facts.ancestry.get(key);
  if (known !== undefined) return known;
  const { code } = await gate.run(['merge-base', '--is-ancestor', a, b], { answers: [0, 1, 128] });
  // 128 is also how git says that it does not know `a`: then there is nothing to remember.
  if (code === 128) {
    if (await hasObject(gate, a)) throw new SignalboxError('git-infrastructure', `could not read the history of ${b}`);
    return false;
  }
  gate.facts.ancestry.set(key, code === 0);
  return code === 0;
}

/** Reads commit objects, in the order asked for. */
export async function readCommits(gate: Gate, oids: readonly string[]): Promise<(CommitObject & { oid: string })[]> {
  const { commits } = gate.facts;
  const wanted = oids.filter((oid) => !commits.has(oid));
  for (const commit of wanted.length === 0 ? [] : await readBatch(gate, wanted)) commits.set(commit.oid, commit);
  return oids.flatMap((oid) => commits.get(oid) ?? []);
}

async function readBatch(gate: Gate, oids: readonly string[]): Promise<(CommitObject & { oid: string })[]> {
  const { stdout } = await gate.run(['cat-file', '--batch'], { input: `${oids.join('\n')}\n`, binary: true });
  const bytes = Buffer.from(stdout, 'latin1');
  const commits: (CommitObject & { oid: string })[] = [];
  let at = 0;
  for (const oid of oids) {
    const end = bytes.indexOf(10, at);
    const [, type, size] = bytes.toString('latin1', at, end).split(' ');
    if (type !== 'commit') throw new SignalboxError('git-infrastructure', `bad object ${oid}: not a commit here`);
    const raw = bytes.subarray(end + 1, end + 1 + Number(size));
    commits.push({ oid, ...parseCommit(raw.toString('utf8')) });
    at = end + 1 + Number(size) + 1;
  }
  return commits;
}

export async function readCommit(gate: Gate, oid: string): Promise<CommitObject & { oid: string }> {
  const [commit] = await readCommits(gate, [oid]);
  if (commit === undefined) throw new SignalboxError('internal', 'one commit asked for, none read');
  return commit;
}

export function writeCommit(gate: Gate, commit: CommitObject): Promise<string> {
  return gate.text(['hash-object', '-t', 'commit', '-w', '--stdin'], { input: formatCommit(commit) });
}
