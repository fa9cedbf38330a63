/**
 * Whether a token may push to a branch of GitHub: its permission, the rulesets on the branch (readable by everybody who
 * reads the repository), and classic branch protection as far as the token may see it.
 */
import type { Octokit } from '@octokit/rest';
import { orNull } from './calls.js';
import type { PushRight } from './forge.js';

type Call = <T>(what: string, asked: Promise<{ data: T }>) => Promise<T>;

/** Rules of a ruleset that a push of finished commits cannot satisfy, as the settings page names them. */
const RULES: Readonly<Record<string, string>> = {
  pull_request: 'Require a pull request before merging',
  update: 'Restrict updates',
  required_status_checks: 'Require status checks to pass',
  required_signatures: 'Require signed commits',
  merge_queue: 'Require merge queue',
  required_deployments: 'Require deployments to succeed',
};

const refuse = (rule: string): PushRight => ({ ok: false, rule });

export async function githubPushRight(
  octokit: Octokit,
  call: Call,
  at: { owner: string; repo: string },
  branch: string,
): Promise<PushRight> {
  const { permissions } = await call('show the repository', octokit.rest.repos.get(at));
  if (permissions?.push !== true) return refuse(`the token has no write permission on ${at.owner}/${at.repo}`);
  const rules = await orNull(call('list the rules', octokit.rest.repos.getBranchRules({ ...at, branch })));
  for (const rule of rules ?? []) {
    const name = RULES[rule.type];
    if (name === undefined || rule.ruleset_id === undefined) continue;
    const asked = octokit.rest.repos.getRepoRuleset({ ...at, ruleset_id: rule.ruleset_id });
    const set = await orNull(call('show a ruleset', asked));
    if (set?.current_user_can_bypass === 'always') continue;
    return refuse(`“${name}” of the ruleset ${set?.name ?? rule.ruleset_id}, which the token may not bypass`);
  }
  const found = await orNull(call('show the branch', octokit.rest.repos.getBranch({ ...at, branch })));
  if (found?.protected !== true) return { ok: true };
  return classicRight(octokit, call, at, branch, permissions.admin);
}

/** Only administrators may read it; for others a refused push is told when it happens. */
async function classicRight(
  octokit: Octokit,
  call: Call,
  at: { owner: string; repo: string },
  branch: string,
  admin: boolean,
): Promise<PushRight> {
  if (!admin) return { ok: true };
  const found = await orNull(call('show the protection', octokit.rest.repos.getBranchProtection({ ...at, branch })));
  if (found === null || found.enforce_admins?.enabled !== true) return { ok: true };
  const of = `of the protection of ${branch}, which holds for administrators too`;
  if (found.lock_branch?.enabled === true) return refuse(`“Lock branch” ${of}`);
  if (found.required_pull_request_reviews !== undefined) return refuse(`“Require a pull request before merging” ${of}`);
  if (found.required_status_checks !== undefined) return refuse(`“Require status checks to pass” ${of}`);
  if (found.required_signatures?.enabled === true) return refuse(`“Require signed commits” ${of}`);
  if (found.restrictions === undefined) return { ok: true };
  const { login } = await call('show the user', octokit.rest.users.getAuthenticated());
  const listed = found.restrictions.users.some((user) => user.login === login);
  return listed ? { ok: true } : refuse(`“Restrict who can push to matching branches” ${of}: ${login} is not listed`);
}
