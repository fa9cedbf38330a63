/** GitLab, by gitbeaker. https://docs.gitlab.com/api/rest */
import { Branches, Commits, GitbeakerRequestError, MergeRequests, Projects } from '@gitbeaker/rest';
import type { ForgeConfig, PullRequestState, StatusReading } from '../../domain/forges.js';
import { CALL_TIMEOUT, forgeError, orNull, refusedWith } from './calls.js';
import type { Forge, PullRequest } from './forge.js';

interface Found {
  iid: number;
  web_url: string;
  state: string;
  sha: string;
  title: string;
  description: string | null;
}

/** https://docs.gitlab.com/api/members/#roles */
const DEVELOPER = 30;

export function gitlabForge({ api, project }: ForgeConfig, token: string): Forge {
  // As a bearer token: that header is dropped where a redirect leads to another host.
  const at = { host: api, oauthToken: token, queryTimeout: CALL_TIMEOUT };
  const [requests, commits, branches, projects] = [
    ...[new MergeRequests(at), new Commits(at), new Branches(at), new Projects(at)],
  ] as const;

  async function call<T>(what: string, asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (err) {
      throw forgeError(`GitLab ${project}`, what, refusalOf(err));
    }
  }

  async function findPullRequest(branch: string, base: string): Promise<PullRequest | null> {
    const asked = requests.all({
      ...{ projectId: project, sourceBranch: branch, targetBranch: base },
      ...{ orderBy: 'created_at', sort: 'desc', perPage: 1, maxPages: 1 },
    });
    const [newest] = await call('list the merge requests', asked);
    return newest === undefined ? null : pullRequest(newest);
  }

  return {
    findPullRequest,
    async openPullRequest({ branch, base, title, body }) {
      try {
        const asked = requests.create(project, branch, base, title, { description: body });
        return pullRequest(await call('open a merge request', asked));
      } catch (err) {
        const there = refusedWith(err) === 409 ? await findPullRequest(branch, base) : null;
        if (there?.state === 'open') return there;
        throw err;
      }
    },
    async updatePullRequest(number, { title, body }) {
      await call(`change the merge request ${number}`, requests.edit(project, number, { title, description: body }));
    },
    async closePullRequest(number) {
      await call(`close the merge request ${number}`, requests.edit(project, number, { stateEvent: 'close' }));
    },
    // It decides by itself, while it takes the push of base.
    markMerged: () => Promise.resolve(false),
    async setStatus(sha, { context, state, description }) {
      const named = { name: context, description };
      try {
        const word = state === 'failure' ? 'failed' : state;
        await call('set a status', commits.editStatus(project, sha, word, named));
      } catch (err) {
        // It has that state already: GitLab takes no new description for it.
        if (refusedWith(err) === 400 && err instanceof Error && /cannot transition/i.test(err.message)) return;
        throw err;
      }
    },
    async readStatus(sha, context) {
      const found = await orNull(call('list the statuses', commits.allStatuses(project, sha, { name: context })));
      const newest = found?.filter((s) => s.name === context).sort((a, b) => b.id - a.id)[0];
      if (newest === undefined) return { state: 'absent' };
      return reading(newest.status, newest.description ?? '', newest.target_url);
    },
    async mayPush(branch) {
      const found = await call('show the project', projects.show(project));
      const { project_access: own, group_access: group } = found.permissions;
      const level = Math.max(levelOf(own), levelOf(group));
      if (level < DEVELOPER) return { ok: false, rule: `the token has not the role Developer in ${project}` };
      const { can_push: may } = await call('show the branch', branches.show(project, branch));
      const rule = `the protection of ${branch} does not let the user of the token push (“Allowed to push and merge”)`;
      return may ? { ok: true } : { ok: false, rule };
    },
  };
}

const levelOf = (access: unknown): number =>
  typeof access === 'object' && access !== null && 'access_level' in access ? Number(access.access_level) : 0;

function refusalOf(err: unknown): { status: number | null; message: string } {
  if (err instanceof GitbeakerRequestError) {
    return { status: err.cause?.response.status ?? null, message: err.message };
  }
  return { status: null, message: err instanceof Error ? err.message : 'no answer' };
}

function pullRequest(found: Found): PullRequest {
  // `locked` is on its way to merged.
  const state: PullRequestState = found.state === 'merged' || found.state === 'closed' ? found.state : 'open';
  const { iid: number, web_url: url, sha: head, title, description } = found;
  return { number, url, state, head, title, body: description ?? '' };
}

function reading(status: string, description: string, target: string | null): StatusReading {
  const said = { description, url: target ?? null };
  switch (status) {
    case 'success':
      return { state: 'success', ...said };
    case 'failed':
      return { state: 'failure', ...said };
    case 'canceled':
    case 'skipped':
      return { state: 'lost', ...said, description: description === '' ? status : description };
    default:
      return { state: 'pending', ...said };
  }
}
