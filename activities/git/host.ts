/** What every git activity of a host shares. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { DecidedOn, NeededApproval } from '../../domain/pipeline/approvals.js';
import type { VerdictKind } from '../../domain/checks/types.js';
import type { Repo } from '../../domain/repos.js';
import type { EntryIdentity, Gate as StoreGate, Landing } from '../../domain/merge-queue/types.js';
import type { HostPaths } from '../paths.js';
import type { SecretLookup } from './auth.js';
import { createGit, type Git } from './command.js';

export interface GitHost {
  git: Git;
  paths: HostPaths;
  /** Only we use it: askpass program, scratch files. */
  privateDir: string;
  lookup: SecretLookup;
  now: () => Date;
  /** How long to wait for the lock of a gate, milliseconds. */
  lockWaitMs: number;
  /** Age from which an abandoned lock file in a path remote may be removed, milliseconds. */
  staleLockMs: number;
  /** Tells the outside that a long step still lives. */
  heartbeat: (step: string) => void;
}

/** What landing asks of the store, at the moment of use. */
export interface LandingRecords {
  repo(id: string): Promise<Repo | null>;
  /** The newest landing on this base. */
  lastLanding(repo: string, base: string): Promise<Landing | null>;
  landingOfEntry(entry: string): Promise<Landing | null>;
  landingOfTask(repo: string, workItem: string, generation: number): Promise<Landing | null>;
  /** Pauses, drains and freezes that stand now. */
  activeGates(repo: string): Promise<StoreGate[]>;
  /** Whether the entry may land while base is frozen. */
  isFix(entry: string): Promise<boolean>;
  /** What the task's pipeline asks people for before it may land, and what they decided. */
  approvals(entry: EntryIdentity): Promise<{ needed: NeededApproval[]; decisions: DecidedOn[] }>;
  /** The verdict of these checks for this tree, as it is stored; null where there is none. */
  verdictOf(tree: string, repo: string, configHash: string): Promise<VerdictKind | null>;
  /** Why the task no longer wants this landing; null if it does. */
  unwanted(entry: EntryIdentity): Promise<string | null>;
}

export interface GitHostOptions {
  paths: HostPaths;
  lookup: SecretLookup;
  now?: () => Date;
  lockWaitMs?: number;
  staleLockMs?: number;
  heartbeat?: (step: string) => void;
}

export function createGitHost(options: GitHostOptions): GitHost {
  const top = path.join(options.paths.root, 'git');
  const home = path.join(top, 'home');
  const privateDir = path.join(top, 'private');
  mkdirSync(home, { recursive: true });
  mkdirSync(privateDir, { recursive: true, mode: 0o700 });
  return {
    git: createGit({ home, path: options.lookup('PATH') }),
    paths: options.paths,
    privateDir,
    lookup: options.lookup,
    now: options.now ?? (() => new Date()),
    lockWaitMs: options.lockWaitMs ?? 60_000,
    staleLockMs: options.staleLockMs ?? 30_000,
    heartbeat: options.heartbeat ?? (() => undefined),
  };
}
