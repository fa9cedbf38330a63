/** GitHub's REST API, as much of it as is used here. Check runs and statuses are apart, as they are there. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FakePull, FakeStatus, ForgeModel } from './model.js';
import { created, FakeForge, ok, textOf, type Answer, type Route } from './server.js';

const no = (status: number, message: string): Answer => ({ status, body: { message } });
const invalid = (message: string): Answer => no(422, `Validation Failed: {"message":"${message}"}`);

export async function fakeGithub(model: ForgeModel): Promise<FakeForge> {
  const at = '/repos/:owner/:repo';
  const pull = (p: FakePull) => ({
    ...{ number: p.number, html_url: `https://github.test/${model.project}/pull/${p.number}`, title: p.title },
    ...{ body: p.body, state: p.state === 'open' ? 'open' : 'closed' },
    merged_at: p.state === 'merged' ? '2026-01-01T00:00:00Z' : null,
    ...{ head: { ref: p.head, sha: p.sha }, base: { ref: p.base } },
  });
  const find = (number: string | undefined): FakePull | undefined =>
    model.pulls.find((p) => p.number === Number(number));
  const status = (s: FakeStatus) => ({
    ...{ id: s.id, context: s.context, state: s.state, description: s.description, target_url: s.url },
  });
  const run = (s: FakeStatus) => {
    const open = ['queued', 'in_progress'].includes(s.state);
    return {
      ...{ id: s.id, name: s.context, status: open ? s.state : 'completed', conclusion: open ? null : s.state },
      ...{ output: { title: s.description, summary: null }, html_url: s.url },
    };
  };
  const routes: Route[] = [
    { method: 'GET', path: '/user', answer: ({ user }) => ok({ login: user.login }) },
    {
      ...{ method: 'GET', path: at },
      answer: ({ user }) =>
        ok({ full_name: model.project, permissions: { push: user.level !== 'read', admin: user.level === 'admin' } }),
    },
    {
      ...{ method: 'GET', path: `${at}/pulls`, query: ['head', 'base', 'state', 'sort', 'direction', 'per_page'] },
      answer: ({ query }) => {
        const head = query.get('head')?.split(':')[1];
        const found = model.pulls
          .filter((p) => p.head === head && p.base === query.get('base'))
          .map(pull)
          .reverse();
        return ok(found.slice(0, Number(query.get('per_page') ?? 30)));
      },
    },
    {
      ...{ method: 'POST', path: `${at}/pulls`, level: 'write' },
      body: { head: 'text', base: 'text', title: 'text', body: 'text?' },
      answer: ({ body }) => {
        const [head, base] = [textOf(body, 'head'), textOf(body, 'base')];
        const fault = model.fault(head, base);
        if (fault === 'duplicate') return invalid(`A pull request already exists for acme:${head}.`);
        if (fault === 'empty') return invalid(`No commits between ${base} and ${head}`);
        if (fault !== null) return invalid(`${fault} is invalid`);
        return created(pull(model.open(head, base, textOf(body, 'title'), textOf(body, 'body'))));
      },
    },
    {
      ...{ method: 'PATCH', path: `${at}/pulls/:number`, level: 'write' },
      body: { title: 'text?', body: 'text?', state: 'text?' },
      answer: ({ params, body }) => {
        const found = find(params['number']);
        if (found === undefined) return no(404, 'Not Found');
        if (typeof body['title'] === 'string') found.title = body['title'];
        if (typeof body['body'] === 'string') found.body = body['body'];
        if (body['state'] === 'closed' && found.state === 'open') found.state = 'closed';
        return ok(pull(found));
      },
    },
    {
      ...{ method: 'POST', path: `${at}/statuses/:sha`, level: 'write' },
      body: { state: 'text', context: 'text', description: 'text' },
      answer: ({ params, body }) => {
        const state = textOf(body, 'state');
        if (!['error', 'failure', 'pending', 'success'].includes(state)) return invalid('state is not included');
        if (textOf(body, 'description').length > 140)
          return invalid('description is too long (maximum is 140 characters)');
        if (!model.has(params['sha'] ?? '')) return invalid(`No commit found for SHA: ${params['sha'] ?? ''}`);
        const description = textOf(body, 'description');
        return created(status(model.setStatus(params['sha'] ?? '', textOf(body, 'context'), state, { description })));
      },
    },
    {
      ...{ method: 'GET', path: `${at}/commits/:sha/check-runs`, query: ['check_name', 'filter', 'per_page'] },
      answer: ({ params, query }) => {
        if (!model.has(params['sha'] ?? '')) return no(422, `No commit found for SHA: ${params['sha'] ?? ''}`);
        const runs = model.statusesOf(params['sha'] ?? '', true).filter((s) => s.context === query.get('check_name'));
        return ok({ total_count: runs.length, check_runs: runs.slice(0, 1).map(run) });
      },
    },
    {
      ...{ method: 'GET', path: `${at}/commits/:sha/statuses`, query: ['per_page', 'page'] },
      answer: ({ params }) => ok(model.statusesOf(params['sha'] ?? '').map(status)),
    },
    {
      ...{ method: 'GET', path: `${at}/rules/branches/:branch`, query: [] },
      answer: ({ params }) =>
        ok(model.protection?.branch === params['branch'] ? [{ type: 'pull_request', ruleset_id: 7 }] : []),
    },
    {
      ...{ method: 'GET', path: `${at}/rulesets/:id`, query: [] },
      answer: ({ user }) => {
        const { name = '', pushers = [] } = model.protection?.rule ?? {};
        return ok({ id: 7, name, current_user_can_bypass: pushers.includes(user.login) ? 'always' : 'never' });
      },
    },
    {
      ...{ method: 'GET', path: `${at}/branches/:branch` },
      answer: ({ params }) => {
        const sha = model.branch(params['branch'] ?? '');
        return sha === null ? no(404, 'Branch not found') : ok({ name: params['branch'], protected: false });
      },
    },
  ];
  const token = ({ authorization }: IncomingHttpHeaders): string | null =>
    /^token (\S+)$/.exec(authorization ?? '')?.[1] ?? null;
  return new FakeForge(model, { root: '', token, refusal: (message) => ({ message }), routes }).listen();
}
