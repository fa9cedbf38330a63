import { setTimeout as sleep } from 'node:timers/promises';
import type { Repo } from '../../domain/repos.js';
import type { SecretLookup } from '../git/auth.js';
import type { AwaitRecorded } from '../git/head-branch.js';
import { openForge } from './open.js';

/** Forges take pushes in behind the push itself. A forge that is away costs a landing no more than this. */
const LONGEST_MS = 3000;
const LOOK_MS = 200;

/** For the git activities of a host. */
export const awaitRecordedBy =
  (lookup: SecretLookup): AwaitRecorded =>
  async (repo, branch, head) => {
    const over = AbortSignal.timeout(LONGEST_MS);
    try {
      await Promise.race([recorded(lookup, repo, branch, head, over), sleep(LONGEST_MS, undefined, { ref: false })]);
    } catch {
      // The forge is away or refuses: the landing goes on, and the pull request is mended from the outbox.
    }
  };

async function recorded(
  lookup: SecretLookup,
  repo: Repo,
  branch: string,
  head: string,
  over: AbortSignal,
): Promise<void> {
  const { forge } = await openForge(lookup, repo);
  while (!over.aborted) {
    const found = await forge.findPullRequest(branch, repo.base);
    if (found?.state !== 'open' || found.head === head) return;
    await sleep(LOOK_MS);
  }
}
