/** GitHub and GitHub Enterprise, by Octokit. https://docs.github.com/en/rest */
import { Octokit } from '@octokit/rest';
import type { ForgeConfig, PullRequestState, StatusReading } from '../../domain/forges.js';
import { forgeError, forgeFetch, orNull, refusedWith } from './calls.js';
import type { Forge, PullRequest } from './forge.js';
import { githubPushRight } from './github-rights.js';

interface Found {
  number: number;
  html_url: string;
  state: string;
  merged_at?: string | null;
  title: string;
  body?: string | null;
  head: { sha: string };
}

const silent = (): void => undefined;

export function githubForge({ api, project }: ForgeConfig, token: string): Forge {
  const [owner = '', repo = ''] = project.split('/');
  const octokit = new Octokit({
    ...{ auth: token, baseUrl: api, userAgent: 'signalbox', request: { fetch: forgeFetch } },
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
  const at = { owner, repo };

  async function call<T>(what: string, asked: Promise<{ data: T }>): Promise<T> {
    try {
      return (await asked).data;
    } catch (err) {
      throw forgeError(`GitHub ${project}`, what, refusalOf(err));
    }
  }

  async function findPullRequest(branch: string, base: string): Promise<PullRequest | null> {
    const asked = octokit.rest.pulls.list({
      ...{ ...at, head: `${owner}:${branch}`, base, state: 'all', sort: 'created', direction: 'desc', per_page: 1 },
    });
    const [newest] = await call('list the pull requests', asked);
    return newest === undefined ? null : pullRequest(newest);
  }

  return {
    findPullRequest,
    async openPullRequest({ branch, base, title, body }) {
      try {
        const asked = octokit.rest.pulls.create({ ...at, head: branch, base, title, body });
        return pullRequest(await call('open a pull request', asked));
      } catch (err) {
        const there = refusedWith(err) === 422 ? await findPullRequest(branch, base) : null;
        if (there?.state === 'open') return there;
        throw err;
      }
    },
    async updatePullRequest(number, { title, body }) {
      const asked = octokit.rest.pulls.update({ ...at, pull_number: number, title, body });
      await call(`change the pull request ${number}`, asked);
    },
    async closePullRequest(number) {
      const asked = octokit.rest.pulls.update({ ...at, pull_number: number, state: 'closed' });
      await call(`close the pull request ${number}`, asked);
    },
    // It decides by itself, while it takes the push of base.
    markMerged: () => Promise.resolve(false),
    async setStatus(sha, status) {
      await call('set a status', octokit.rest.repos.createCommitStatus({ ...at, sha, ...status }));
    },
    async readStatus(sha, context) {
      const runs = octokit.rest.checks.listForRef({
        ...at,
        ref: sha,
        check_name: context,
        filter: 'latest',
        per_page: 1,
      });
      const [run] = (await orNull(call('list the checks', runs)))?.check_runs ?? [];
      if (run !== undefined) {
        return checkRun(run.status, run.conclusion, run.output.title ?? run.output.summary, run.html_url);
      }
      const found = octokit.paginate(octokit.rest.repos.listCommitStatusesForRef, { ...at, ref: sha, per_page: 100 });
      const statuses = await orNull(
        call(
          'list the statuses',
          found.then((data) => ({ data })),
        ),
      );
      // The newest first.
      const status = statuses?.find((s) => s.context === context);
      if (status === undefined) return { state: 'absent' };
      return { state: statusState(status.state), description: status.description ?? '', url: status.target_url };
    },
    mayPush: (branch) => githubPushRight(octokit, call, at, branch),
  };
}

function refusalOf(err: unknown): { status: number | null; message: string } {
  if (!(err instanceof Error)) return { status: null, message: 'no answer' };
  // Octokit gives 500 to what never reached the forge.
  const answered = 'response' in err && err.response !== undefined;
  const status = answered && 'status' in err && typeof err.status === 'number' ? err.status : null;
  return { status, message: err.message };
}

function pullRequest(found: Found): PullRequest {
  const state: PullRequestState = found.merged_at != null ? 'merged' : found.state === 'open' ? 'open' : 'closed';
  const { number, html_url: url, title, body, head } = found;
  return { number, url, state, head: head.sha, title, body: body ?? '' };
}

const statusState = (state: string): 'pending' | 'success' | 'failure' | 'error' =>
  state === 'success' || state === 'failure' || state === 'error' ? state : 'pending';

/** As branch protection counts them: neutral and skipped pass. */
const PASSED = ['success', 'neutral', 'skipped'];
const SAYS_NOTHING = ['cancelled', 'timed_out', 'stale', 'startup_failure'];

function checkRun(status: string, conclusion: string | null, title: string | null, url: string | null): StatusReading {
  if (status !== 'completed' || conclusion === null || conclusion === 'action_required') {
    return { state: 'pending', description: title ?? status, url };
  }
  const description = title ?? conclusion;
  if (PASSED.includes(conclusion)) return { state: 'success', description, url };
  return { state: SAYS_NOTHING.includes(conclusion) ? 'lost' : 'failure', description, url };
}
