/** A repository as it is registered: the validated request plus what was found out about its remote. */
import type { CheckConfig, SetupConfig } from './checks/types.js';
import type { ForgeConfig } from './forges.js';
import type { Strategy } from './merge-queue/types.js';
import type { Pipeline } from './pipeline/types.js';

/** Credentials by reference only; resolved on the host at spawn, never stored, never seen by agents. */
export interface RepoAuth {
  kind: 'none' | 'token' | 'ssh-key' | 'helper';
  /** `env:NAME` or `file:PATH`; null for `none`. */
  ref: string | null;
}

export interface RepoConfig {
  auth: RepoAuth;
  merge: { strategy: Strategy };
  /** Where it keeps pull requests and statuses; null or absent = what the address of the remote says. */
  forge?: ForgeConfig | null;
  /** `update`: keep a checked-out remote in step after each landing. */
  checkout: null | 'update';
  setup: SetupConfig | null;
  /** All are required for landing, in this order. */
  checks: CheckConfig[];
  pipeline: Pipeline | null;
}

/** Whether anything in the configuration needs a forge to be asked. */
export const needsForge = ({ merge, checks }: Pick<RepoConfig, 'merge' | 'checks'>): boolean =>
  merge.strategy === 'pr' || checks.some((check) => check.kind === 'external');

export interface RepoFacts {
  /** Where heads go: custom refs, or the fallback below refs/heads for remotes that refuse them. */
  headsPrefix: 'refs/signalbox/heads/' | 'refs/heads/signalbox/heads/';
  tipPrefix: 'refs/signalbox/tip/' | 'refs/tags/signalbox/tip/';
  /** A path on this machine, or an address. */
  local: boolean;
  /** A local remote with a work tree whose HEAD is the base branch. */
  checkedOut: boolean;
  /** The commit on the remote that names this instance; absent where it was registered before there was one. */
  owner?: string;
  /** What that commit is made of, beside the name of the instance. */
  claim?: string;
  /** The last valid `.signalbox/pipeline.yaml` of base; absent when there never was one. */
  lastPipeline?: Pipeline;
}

export interface Repo {
  id: string;
  remote: string;
  remoteKey: string;
  base: string;
  prefix: string;
  config: RepoConfig;
  facts: RepoFacts;
  /** Base oid at `repo add`: where the audit begins. */
  adoptedAt: string;
  createdAt: string;
}

/** What whoever registers it should know; nothing is wrong. */
export function repoNotes({
  id,
  remote,
  base,
  config,
  facts,
}: Pick<Repo, 'id' | 'remote' | 'base' | 'config' | 'facts'>): string[] {
  if (!facts.checkedOut || config.checkout === 'update') return [];
  return [
    `${remote} has ${base} checked out and is not kept in step: after a landing git status there shows it reversed; ` +
      `to mend it: signalbox repo change ${id} --checkout update`,
  ];
}
