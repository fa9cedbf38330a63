/**
 * The gate: a private bare repository per registered repository, where imports are looked at and landings are made.
 * It holds no authoritative branch and no setting of anybody else, and is made anew whenever it looks damaged.
 */
import { access, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createHash, randomUUID } from 'node:crypto';
import { SignalboxError } from '../../domain/errors.js';
import { formatCommit, parseCommit, type CommitObject } from '../../domain/merge-queue/commit.js';
import type { Repo } from '../../domain/repos.js';
import type { GitCall, GitResult } from './command.js';
import type { GitHost } from './host.js';
import { withFlock } from './lock.js';
import { openObjects, type GitObject, type ObjectReader } from './objects.js';
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
  objects: ObjectReader;
  run(args: readonly string[], call?: GitCall): Promise<GitResult>;
  /** Standard output without the last line end. */
  text(args: readonly string[], call?: GitCall): Promise<string>;
}

/** Runs `action` in the gate of `repo` while holding its lock. Throws `gate-busy`, `git-infrastructure`. */
export async function withGate<T>(host: GitHost, repo: Repo, action: (gate: Gate) => Promise<T>): Promise<T> {
  const dir = host.paths.gate(repo.id);
  const objects = openObjects(host.git, dir);
  let opened: string | null = null;
  // Reading needs no lock, so git for it starts while we wait for ours.
  const meanwhile = async (): Promise<void> => {
    opened = await identityOf(dir);
    if (opened !== null) objects.warm();
  };
  const locked = async (fd: number): Promise<T> => {
    await openDirectory(host, repo, dir);
    // Made anew: the next question starts git in the new one.
    if ((await identityOf(dir)) !== opened) await objects.restart();
    const run = (args: readonly string[], call: GitCall = {}): Promise<GitResult> =>
      host.git.run(args, { gitDir: dir, lockFd: fd, ...call });
    const text = async (args: readonly string[], call?: GitCall): Promise<string> =>
      (await run(args, call)).stdout.replace(/\n$/, '');
    try {
      const remote = await openRemote(host, repo.remote, repo.config.auth);
      return await action({ host, repo, dir, remote, objects, run, text });
    } catch (err) {
      if (err instanceof SignalboxError && err.code === 'git-infrastructure' && DAMAGE.test(err.message)) {
        await writeFile(path.join(dir, SUSPECT), err.message);
      }
      throw err;
    }
  };
  try {
    return await withFlock(`${dir.replace(/\.git$/, '')}.flock`, host.lockWaitMs, locked, meanwhile);
  } finally {
    await objects.close();
  }
}

/** Tells a directory from one that is made later in its place, which may get its inode. */
const identityOf = (dir: string): Promise<string | null> =>
  stat(dir).then(
    ({ ino, birthtimeMs }) => `${ino} ${birthtimeMs}`,
    () => null,
  );

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
  const [found] = await gate.objects.info([`${oid}^{commit}`]);
  return found != null;
}

/** Whether `a` is `b` or in its history. A commit that this gate lacks is in nobody's history that it has. */
export async function isAncestor(gate: Gate, a: string, b: string): Promise<boolean> {
  if (a === b) return true;
  const [older, newer] = await gate.objects.contents([`${a}^{commit}`, `${b}^{commit}`]);
  if (older == null) return false;
  // Neighbours answer for themselves, since histories have no cycles: mostly it is asked of a landing and its base.
  if (newer != null && commitOf(newer).parents.includes(a)) return true;
  if (commitOf(older).parents.includes(b)) return false;
  return (await gate.run(['merge-base', '--is-ancestor', a, b], { answers: [0, 1] })).code === 0;
}

const commitOf = (object: GitObject): CommitObject => parseCommit(object.bytes.toString('utf8'));

/** Reads commit objects, in the order asked for. */
export async function readCommits(gate: Gate, oids: readonly string[]): Promise<(CommitObject & { oid: string })[]> {
  const found = await gate.objects.contents(oids);
  return oids.map((oid, i) => {
    const object = found[i];
    if (object?.type === 'commit') return { oid, ...commitOf(object) };
    throw new SignalboxError('git-infrastructure', `bad object ${oid}: not a commit here`);
  });
}

export async function readCommit(gate: Gate, oid: string): Promise<CommitObject & { oid: string }> {
  const [commit] = await readCommits(gate, [oid]);
  if (commit === undefined) throw new SignalboxError('internal', 'one commit asked for, none read');
  return commit;
}

/** Its id; a commit that is there already is not written again. */
export async function writeCommit(gate: Gate, commit: CommitObject): Promise<string> {
  const text = formatCommit(commit);
  const oid = objectId('commit', Buffer.from(text, 'utf8'), commit.tree.length === 64 ? 'sha256' : 'sha1');
  if (await hasObject(gate, oid)) return oid;
  return gate.text(['hash-object', '-t', 'commit', '-w', '--stdin'], { input: text });
}

/** The id that git gives an object: the hash of its type, its length in bytes and its content. */
export function objectId(type: string, bytes: Buffer, algorithm: 'sha1' | 'sha256'): string {
  return createHash(algorithm).update(`${type} ${bytes.length}\0`).update(bytes).digest('hex');
}
