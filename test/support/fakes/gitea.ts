/** The REST API of Gitea and Forgejo, as much of it as is used here. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FakePull, FakeStatus, ForgeModel } from './model.js';
import { created, FakeForge, ok, textOf, type Answer, type Route } from './server.js';

const no = (status: number, message: string): Answer => ({
  status,
  body: { message, url: 'http://gitea.test/api/swagger' },
});

export async function fakeGitea(model: ForgeModel): Promise<FakeForge> {
  const at = '/repos/:owner/:repo';
  const pull = (p: FakePull) => ({
    ...{ number: p.number, html_url: `https://gitea.test/${model.project}/pulls/${p.number}`, title: p.title },
    ...{ body: p.body, state: p.state === 'open' ? 'open' : 'closed', merged: p.state === 'merged' },
    ...{ head: { ref: p.head, sha: p.sha }, base: { ref: p.base } },
  });
  const find = (number: string | undefined): FakePull | undefined =>
    model.pulls.find((p) => p.number === Number(number));
  const status = (s: FakeStatus) => ({
    ...{ id: s.id, context: s.context, status: s.state, description: s.description, target_url: s.url ?? '' },
  });
  const routes: Route[] = [
    {
      ...{ method: 'GET', path: at },
      answer: ({ user }) =>
        ok({ full_name: model.project, permissions: { push: user.level !== 'read', admin: user.level === 'admin' } }),
    },
    {
      ...{ method: 'GET', path: `${at}/pulls`, query: ['state', 'page', 'limit'] },
      answer: ({ query }) => {
        const [page, limit] = [Number(query.get('page') ?? 1), Number(query.get('limit') ?? 30)];
        const open = query.get('state') === 'open';
        const found = model.pulls.filter((p) => (p.state === 'open') === open).reverse();
        return ok(found.slice((page - 1) * limit, page * limit).map(pull));
      },
    },
    {
      ...{ method: 'POST', path: `${at}/pulls`, level: 'write' },
      body: { head: 'text', base: 'text', title: 'text', body: 'text?' },
      answer: ({ body }) => {
        const [head, base] = [textOf(body, 'head'), textOf(body, 'base')];
        const fault = model.fault(head, base);
        if (fault === 'duplicate')
          return no(409, `pull request already exists for these targets [head_branch: ${head}]`);
        if (fault === 'empty') return no(422, 'There are no changes between the head and the base');
        if (fault !== null) return no(404, "The target couldn't be found.");
        return created(pull(model.open(head, base, textOf(body, 'title'), textOf(body, 'body'))));
      },
    },
    {
      ...{ method: 'PATCH', path: `${at}/pulls/:number`, level: 'write' },
      body: { title: 'text?', body: 'text?', state: 'text?' },
      answer: ({ params, body }) => {
        const found = find(params['number']);
        if (found === undefined) return no(404, "The target couldn't be found.");
        if (typeof body['title'] === 'string') found.title = body['title'];
        if (typeof body['body'] === 'string') found.body = body['body'];
        if (body['state'] === 'closed' && found.state === 'open') found.state = 'closed';
        return created(pull(found));
      },
    },
    {
      ...{ method: 'POST', path: `${at}/pulls/:number/merge`, level: 'write' },
      body: { Do: 'text', MergeCommitID: 'text' },
      answer: ({ params, body }) => {
        const found = find(params['number']);
        if (found === undefined) return no(404, "The target couldn't be found.");
        const [how, commit] = [textOf(body, 'Do'), textOf(body, 'MergeCommitID')];
        if (how !== 'manually-merged' || found.state !== 'open') return no(405, 'Please try again later');
        const base = model.branch(found.base);
        if (base === null || !model.contains(base, commit)) return no(409, 'Wrong commit ID');
        found.state = 'merged';
        return { status: 200 };
      },
    },
    {
      ...{ method: 'POST', path: `${at}/statuses/:sha`, level: 'write' },
      body: { state: 'text', context: 'text', description: 'text' },
      answer: ({ params, body }) => {
        const state = textOf(body, 'state');
        if (!['error', 'failure', 'pending', 'success', 'warning'].includes(state))
          return no(422, `unknown state ${state}`);
        if (!model.has(params['sha'] ?? '')) return no(404, 'object does not exist');
        const description = textOf(body, 'description');
        return created(status(model.setStatus(params['sha'] ?? '', textOf(body, 'context'), state, { description })));
      },
    },
    {
      ...{ method: 'GET', path: `${at}/statuses/:sha`, query: ['sort', 'limit'] },
      answer: ({ params }) =>
        model.has(params['sha'] ?? '')
          ? ok(model.statusesOf(params['sha'] ?? '').map(status))
          : no(404, 'object does not exist'),
    },
    {
      ...{ method: 'GET', path: `${at}/branches/:branch` },
      answer: ({ params, user }) => {
        const name = params['branch'] ?? '';
        if (model.branch(name) === null) return no(404, "The target couldn't be found.");
        const rule = model.protection?.branch === name ? model.protection.rule.name : '';
        return ok({
          name,
          protected: rule !== '',
          effective_branch_protection_name: rule,
          user_can_push: model.mayPush(user, name),
        });
      },
    },
  ];
  const token = ({ authorization }: IncomingHttpHeaders): string | null =>
    /^(?:token|Bearer) (\S+)$/.exec(authorization ?? '')?.[1] ?? null;
  const refusal = (message: string): unknown => ({ message, url: 'http://gitea.test/api/swagger' });
  return new FakeForge(model, { root: '/api/v1', token, refusal, routes }).listen();
}
