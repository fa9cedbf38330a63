/** Gitea and Forgejo, by gitea-js. https://docs.gitea.com/api */
import { giteaApi, type PullRequest as GiteaPullRequest } from 'gitea-js';
import type { ForgeConfig, PullRequestState, StatusReading } from '../../domain/forges.js';
import { forgeError, forgeFetch, orNull, refusedWith } from './calls.js';
import type { Forge, PullRequest } from './forge.js';

export function giteaForge({ api, project }: ForgeConfig, token: string): Forge {
  const [owner = '', repo = ''] = project.split('/');
  const { repos } = giteaApi(api, { token, customFetch: forgeFetch });

  async function call<T>(what: string, asked: Promise<{ data: T }>): Promise<T> {
    try {
      return (await asked).data;
    } catch (err) {
      throw forgeError(`Gitea ${project}`, what, refusalOf(err));
    }
  }

  const PAGE = 50;
  /** Open ones by their branches; else the newest of those that are closed, as far back as a few pages. */
  async function findPullRequest(branch: string, base: string): Promise<PullRequest | null> {
    for (const [state, pages] of [
      ['open', 20],
      ['closed', 4],
    ] as const) {
      for (let page = 1; page <= pages; page += 1) {
        const asked = repos.repoListPullRequests(owner, repo, { state, page, limit: PAGE });
        const found = await call('list the pull requests', asked);
        const ours = found.filter((pr) => pr.head?.ref === branch && pr.base?.ref === base);
        const [newest] = ours.sort((a, b) => (b.number ?? 0) - (a.number ?? 0));
        if (newest !== undefined) return pullRequest(newest);
        if (found.length < PAGE) break;
      }
    }
    return null;
  }

  return {
    findPullRequest,
    async openPullRequest({ branch, base, title, body }) {
      try {
        const asked = repos.repoCreatePullRequest(owner, repo, { head: branch, base, title, body });
        return pullRequest(await call('open a pull request', asked));
      } catch (err) {
        const there = refusedWith(err) === 409 ? await findPullRequest(branch, base) : null;
        if (there?.state === 'open') return there;
        throw err;
      }
    },
    async updatePullRequest(number, { title, body }) {
      await call(`change the pull request ${number}`, repos.repoEditPullRequest(owner, repo, number, { title, body }));
    },
    async closePullRequest(number) {
      await call(
        `close the pull request ${number}`,
        repos.repoEditPullRequest(owner, repo, number, { state: 'closed' }),
      );
    },
    async markMerged(number, commit) {
      const how = { Do: 'manually-merged', MergeCommitID: commit } as const;
      try {
        await call(`mark ${number} as merged`, repos.repoMergePullRequest(owner, repo, number, how));
        return true;
      } catch (err) {
        // Not allowed by the settings of the repository.
        if (refusedWith(err) === 405 || refusedWith(err) === 403) return false;
        throw err;
      }
    },
    async setStatus(sha, status) {
      await call('set a status', repos.repoCreateStatus(owner, repo, sha, status));
    },
    async readStatus(sha, context) {
      const asked = repos.repoListStatuses(owner, repo, sha, { sort: 'recentupdate', limit: PAGE });
      const newest = (await orNull(call('list the statuses', asked)))
        ?.filter((status) => status.context === context)
        .sort((a, b) => (b.id ?? 0) - (a.id ?? 0))[0];
      if (newest === undefined) return { state: 'absent' };
      return reading(newest.status ?? 'pending', newest.description ?? '', newest.target_url ?? '');
    },
    async mayPush(branch) {
      const { permissions } = await call('show the repository', repos.repoGet(owner, repo));
      if (permissions?.push !== true) return { ok: false, rule: `the token has no write permission on ${project}` };
      const found = await call('show the branch', repos.repoGetBranch(owner, repo, branch));
      if (found.user_can_push !== false) return { ok: true };
      const name = found.effective_branch_protection_name;
      const which = name === undefined || name === '' ? branch : name;
      return { ok: false, rule: `the branch protection ${which} does not let the user of the token push` };
    },
  };
}

/** It throws the answer itself, whose address and headers stay here; or the error of a call without one. */
function refusalOf(err: unknown): { status: number | null; message: string } {
  if (typeof err === 'object' && err !== null && 'status' in err && typeof err.status === 'number') {
    const said = 'error' in err ? (err.error as { message?: unknown } | null)?.message : null;
    return { status: err.status, message: typeof said === 'string' ? said : 'no reason given' };
  }
  return { status: null, message: err instanceof Error ? err.message : 'no answer' };
}

function pullRequest(found: GiteaPullRequest): PullRequest {
  const state: PullRequestState = found.merged === true ? 'merged' : found.state === 'open' ? 'open' : 'closed';
  return {
    ...{ number: found.number ?? 0, url: found.html_url ?? '', state, head: found.head?.sha ?? '' },
    ...{ title: found.title ?? '', body: found.body ?? '' },
  };
}

function reading(state: string, description: string, url: string): StatusReading {
  const said = { description, url: url === '' ? null : url };
  if (state === 'success') return { state, ...said };
  if (state === 'failure' || state === 'error') return { state, ...said };
  // A warning is no success: it would not satisfy a protected branch.
  return { state: state === 'warning' ? 'failure' : 'pending', ...said };
}
