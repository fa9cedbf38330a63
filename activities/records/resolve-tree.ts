/** Reads what a branch source is now, through the gate of this host. */
import { SignalboxError } from '../../domain/errors.js';
import { withGate } from '../git/gate.js';
import { sourceTree, type GitHost } from '../git/index.js';
import { readRemote } from '../git/remote.js';
import type { ResolveTree } from './deps.js';

/** For the worker of a host that has git: `resolveTreeBy(gitHostFor({ paths, lookup }))`. */
export function resolveTreeBy(host: GitHost): ResolveTree {
  return async (repo, source) => {
    if (source.kind !== 'base-now') return sourceTree(host, repo, source);
    const ref = `refs/heads/${source.branch}`;
    const commit = await withGate(host, repo, async (gate) => (await readRemote(gate, [ref])).get(ref));
    if (commit === undefined) throw new SignalboxError('not-found', `the remote has no branch ${source.branch}`);
    return sourceTree(host, repo, { kind: 'base', branch: source.branch, commit });
  };
}
