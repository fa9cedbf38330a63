/** What the API is given by whoever starts it: it opens nothing and reads no environment by itself. */
import type { Client } from '@temporalio/client';
import type { FastifyBaseLogger } from 'fastify';
import type { Pool } from 'pg';
import type { AuditHistory } from '../domain/merge-queue/audit-types.js';
import type { LandingStrategy } from '../domain/merge-queue/types.js';
import type { FoundLandings } from '../domain/merge-queue/rebuild.js';
import type { Repo, RepoAuth, RepoFacts } from '../domain/repos.js';
import type { Settings } from '../domain/settings.js';

/**
 * Probes a remote and makes it ready for landings by this instance; throws `unreachable-remote`, `not-acceptable` with
 * git's reason, `conflict` where another instance lands on it and `takeOver` is not set.
 */
export type AdoptRemote = (request: {
  remote: string;
  base: string;
  auth: RepoAuth;
  checkout: null | 'update';
  /** The claim on the remote that is stored; null = none. */
  claim: string | null;
  takeOver: boolean;
}) => Promise<{ remoteKey: string; facts: RepoFacts; adoptedAt: string; tookOver: boolean }>;

/**
 * Asks the forge of a repository whether its token may do what landing needs. Throws `not-acceptable` naming the field
 * and the rule of the forge that stands in the way, or that it cannot be asked.
 */
export type ExamineForge = (repo: Pick<Repo, 'remote' | 'base' | 'config'>) => Promise<void>;

export interface MergePreview {
  /** Where base is. */
  base: string;
  head: string;
  kind: 'clean' | 'conflict' | 'contained';
  paths: string[];
  hunks: string;
  strategy: LandingStrategy;
  /** Of base after the landing; null where there is a conflict. */
  tree: string | null;
}

/** Reads content of a repository from its remote, through a gate that no agent can write. */
export interface GitReader {
  /** The blob at `path` in commit `sha`; null when the commit has no such file. Throws `not-found` for the commit. */
  artifact(repo: Repo, sha: string, path: string): Promise<Buffer | null>;
  /** The blob at `path` at the tip of the base branch. */
  baseFile(repo: Repo, path: string): Promise<Buffer | null>;
  /** What commit `head` changes since it left commit `base` (three dots), as a unified diff without external drivers. */
  diff(repo: Repo, head: string, base: string): Promise<string>;
  /**
   * What landing the head of a work item now would come to. Throws `not-found`, `not-acceptable` for what would be
   * refused, `git-infrastructure`, `gate-busy`.
   */
  mergePreview(repo: Repo, work: { workItem: string; head: string; stackBase: string | null }): Promise<MergePreview>;
  /** Tip of a branch on the remote, asked for now; null when there is none. */
  tip(repo: Repo, branch: string): Promise<string | null>;
  /**
   * What the audit needs of the remote: of `base` after commit `since` (null = after the adoption), and which of the
   * `asked` commits base has. Throws `not-found` without the branch, `not-acceptable` for a `since` that is not in it.
   */
  history(repo: Repo, request: { base: string; since: string | null; asked: readonly string[] }): Promise<AuditHistory>;
  /** The landings on a base branch, by git alone. Throws `not-found` without the branch. */
  landings(repo: Repo, base: string): Promise<FoundLandings>;
}

export interface ApiDeps {
  pool: Pool;
  temporal: Client;
  settings: Settings;
  adoptRemote: AdoptRemote;
  examineForge: ExamineForge;
  gitReader: GitReader;
  version: string;
  /** Host names (without port) that the server answers for, besides 127.0.0.1, localhost and ::1. */
  allowedHosts: readonly string[];
  logger: FastifyBaseLogger;
  /** Where run logs of this machine lie; logs are served from below it only. */
  runsDir: string;
}
