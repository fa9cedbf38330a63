/** Where everything of a host lies below its data directory. One place, so that clean-up and the janitor agree. */
import path from 'node:path';

export interface HostPaths {
  root: string;
  /** Private bare repositories: disposable caches that no agent can see. */
  gate(repo: string): string;
  clone(repo: string, workItem: string): string;
  clones: string;
  /** A run directory: shim.json, out.jsonl, err.log, exit.json, stop. */
  run(runId: string): string;
  runs: string;
  /** Exports of trees under check. */
  exports: string;
  /** Exports that no check uses now, kept for the next one. */
  warmExports: string;
  /** Caches of `setup`, by content of the key files. */
  setupCache(repo: string): string;
}

/** `repo` and `workItem` match the patterns of the contract, so they are safe path segments. */
export function hostPaths(dataDir: string): HostPaths {
  const root = path.resolve(dataDir);
  const below = (...parts: string[]): string => path.join(root, ...parts);
  return {
    root,
    gate: (repo) => below('gates', `${repo}.git`),
    clones: below('clones'),
    clone: (repo, workItem) => below('clones', repo, workItem),
    runs: below('runs'),
    run: (runId) => below('runs', runId),
    exports: below('exports'),
    warmExports: below('warm-exports'),
    setupCache: (repo) => below('setup-cache', repo),
  };
}
