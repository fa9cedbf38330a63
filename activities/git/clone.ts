/** What an agent is given: a clone of its own that shares nothing with the gate and does not name it. */
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { withGate, hasObject, isAncestor, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { baseRef, headRef, readRemote, UPLOAD_PACK } from './remote.js';

/** An address that fails at once: agents neither fetch from the remote nor push to it. */
const NO_ORIGIN = '/nonexistent/signalbox-origin-is-closed';
/** The gate gives out any commit, by id. */
const ANY_COMMIT = `${UPLOAD_PACK.replace(/ upload-pack$/, '')} -c uploadpack.allowAnySHA1InWant=true upload-pack`;

export interface CloneRequest {
  /** Where the clone will be; what is there is replaced. */
  dir: string;
  branch: string;
  workItem: string;
  /** Where the branch begins; null = at base. */
  head: string | null;
}

export interface CloneResult {
  base: string;
  head: string;
}

/** Makes the clone beside its place and moves it there whole. Throws `git-infrastructure` where the head is gone. */
export async function makeClone(host: GitHost, repo: Repo, request: CloneRequest): Promise<CloneResult> {
  return withGate(host, repo, async (gate) => {
    const base = await currentBase(gate, request.workItem);
    const head = request.head ?? base;
    if (!(await hasObject(gate, head))) throw new SignalboxError('git-infrastructure', `the head ${head} is gone`);
    const fresh = `${request.dir}.${randomUUID()}.new`;
    await mkdir(path.dirname(request.dir), { recursive: true });
    const run = (args: readonly string[], config: readonly string[] = []): Promise<unknown> =>
      host.git.run(args, { cwd: fresh, protocols: 'file', config });
    try {
      await host.git.run(['init', '--quiet', '--template=', `--initial-branch=${request.branch}`, fresh]);
      await run([
        ...['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--update-head-ok', '--no-auto-maintenance'],
        ...[ANY_COMMIT, '--', gate.dir],
        ...[`${head}:refs/heads/${request.branch}`, `${base}:refs/remotes/origin/${repo.base}`],
      ]);
      await run(['reset', '--quiet', '--hard', `refs/heads/${request.branch}`, '--']);
      for (const [key, value] of Object.entries({
        'remote.origin.url': NO_ORIGIN,
        'remote.origin.fetch': '+refs/heads/*:refs/remotes/origin/*',
        'user.name': 'Signalbox agent',
        'user.email': 'agent@localhost',
      })) {
        await run(['config', '--local', key, value]);
      }
      await rm(request.dir, { recursive: true, force: true });
      await rename(fresh, request.dir);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
    return { base, head };
  });
}

export interface BundleResult {
  /** Base now. */
  base: string;
  /** Name of the ref inside the bundle, to be fetched as refs/remotes/origin/<base>; null: nothing new, no file. */
  ref: string | null;
}

/** Writes what `have` (a base commit that the clone knows) lacks of base as a bundle to `file`. */
export async function bundleBase(host: GitHost, repo: Repo, file: string, have: string | null): Promise<BundleResult> {
  return withGate(host, repo, async (gate) => {
    const base = await currentBase(gate, null);
    if (base === have) return { base, ref: null };
    const ref = 'refs/gate/bundle/base';
    await gate.run(['update-ref', ref, base]);
    const without = have !== null && (await isAncestor(gate, have, base)) ? [`^${have}`] : [];
    await mkdir(path.dirname(file), { recursive: true });
    await gate.run(['bundle', 'create', '--quiet', file, ref, ...without]);
    return { base, ref };
  });
}

async function currentBase(gate: Gate, workItem: string | null): Promise<string> {
  const refs = [baseRef(gate.repo), ...(workItem === null ? [] : [headRef(gate.repo, workItem)])];
  const base = (await readRemote(gate, refs)).get(baseRef(gate.repo));
  if (base === undefined) throw new SignalboxError('git-infrastructure', `the remote has no branch ${gate.repo.base}`);
  return base;
}
