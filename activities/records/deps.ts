import type { Client } from '@temporalio/client';
import type { Repo } from '../../domain/repos.js';
import type { Settings } from '../../domain/settings.js';
import type { Pool } from '../../store/db.js';
import type { CheckRequest } from '../../workflows/activities.js';

/** Where content that has no plan yet is found: by a commit, or by the branch as it is now. */
export type BranchSource = Exclude<CheckRequest['source'], { kind: 'plan' }>;

/** Reads commit and tree of a source from the remote. Throws `git-infrastructure` or `not-found`. */
export type ResolveTree = (repo: Repo, source: BranchSource) => Promise<{ commit: string; tree: string }>;

export interface RecordDeps {
  pool: Pool;
  client: Client;
  settings: Settings;
  queuePrefix: string;
  resolveTree: ResolveTree;
}
