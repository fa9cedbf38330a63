/** GitLab's REST API, as much of it as is used here. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FakePull, FakeStatus, ForgeModel } from './model.js';
import { created, FakeForge, ok, textOf, type Answer, type Route } from './server.js';

const no = (status: number, message: unknown): Answer => ({ status, body: { message } });
const LEVEL = { read: 20, write: 30, admin: 40 } as const;

export async function fakeGitlab(model: ForgeModel): Promise<FakeForge> {
  const at = '/projects/:project';
  const pull = (p: FakePull) => ({
    ...{ iid: p.number, web_url: `https://gitlab.test/${model.project}/-/merge_requests/${p.number}`, title: p.title },
    ...{ description: p.body, state: p.state === 'open' ? 'opened' : p.state, sha: p.sha },
    ...{ source_branch: p.head, target_branch: p.base },
  });
  const find = (number: string | undefined): FakePull | undefined =>
    model.pulls.find((p) => p.number === Number(number));
  const status = (s: FakeStatus) => ({
    ...{ id: s.id, sha: s.sha, name: s.context, status: s.state, description: s.description, target_url: s.url },
  });
  const routes: Route[] = [
    {
      ...{ method: 'GET', path: at },
      answer: ({ user }) => {
        const permissions = { project_access: { access_level: LEVEL[user.level] }, group_access: null };
        return ok({ id: 1, path_with_namespace: model.project, permissions });
      },
    },
    {
      ...{ method: 'GET', path: `${at}/merge_requests` },
      query: ['source_branch', 'target_branch', 'order_by', 'sort', 'per_page', 'page'],
      answer: ({ query }) => {
        const [head, base] = [query.get('source_branch'), query.get('target_branch')];
        const found = model.pulls
          .filter((p) => p.head === head && p.base === base)
          .map(pull)
          .reverse();
        return ok(found.slice(0, Number(query.get('per_page') ?? 20)));
      },
    },
    {
      ...{ method: 'POST', path: `${at}/merge_requests`, level: 'write' },
      body: { source_branch: 'text', target_branch: 'text', title: 'text', description: 'text?' },
      answer: ({ body }) => {
        const [head, base] = [textOf(body, 'source_branch'), textOf(body, 'target_branch')];
        const fault = model.fault(head, base);
        if (fault === 'duplicate')
          return no(409, [`Another open merge request already exists for this source branch: !1`]);
        // GitLab opens one without changes too.
        if (fault === 'head' || fault === 'base') return no(400, { [`${fault}_branch`]: ['does not exist'] });
        return created(pull(model.open(head, base, textOf(body, 'title'), textOf(body, 'description'))));
      },
    },
    {
      ...{ method: 'PUT', path: `${at}/merge_requests/:number`, level: 'write' },
      body: { title: 'text?', description: 'text?', state_event: 'text?' },
      answer: ({ params, body }) => {
        const found = find(params['number']);
        if (found === undefined) return no(404, '404 Not found');
        if (typeof body['title'] === 'string') found.title = body['title'];
        if (typeof body['description'] === 'string') found.body = body['description'];
        if (body['state_event'] === 'close' && found.state === 'open') found.state = 'closed';
        return ok(pull(found));
      },
    },
    {
      ...{ method: 'POST', path: `${at}/statuses/:sha`, level: 'write' },
      body: { state: 'text', name: 'text', description: 'text' },
      answer: ({ params, body }) => {
        const [state, name, sha] = [textOf(body, 'state'), textOf(body, 'name'), params['sha'] ?? ''];
        if (!['pending', 'running', 'success', 'failed', 'canceled'].includes(state))
          return no(400, 'state does not have a valid value');
        if (!model.has(sha)) return no(404, '404 Commit Not Found');
        const [newest] = model.statusesOf(sha).filter((s) => s.context === name);
        if (newest?.state === state) return no(400, `Cannot transition status via :${state} from :${state}`);
        const description = textOf(body, 'description');
        return created(status(model.setStatus(sha, name, state, { description })));
      },
    },
    {
      ...{ method: 'GET', path: `${at}/repository/commits/:sha/statuses`, query: ['name'] },
      answer: ({ params, query }) => {
        if (!model.has(params['sha'] ?? '')) return no(404, '404 Commit Not Found');
        return ok(
          model
            .statusesOf(params['sha'] ?? '')
            .filter((s) => s.context === query.get('name'))
            .map(status),
        );
      },
    },
    {
      ...{ method: 'GET', path: `${at}/repository/branches/:branch` },
      answer: ({ params, user }) => {
        const name = params['branch'] ?? '';
        if (model.branch(name) === null) return no(404, '404 Branch Not Found');
        return ok({ name, protected: model.protection?.branch === name, can_push: model.mayPush(user, name) });
      },
    },
  ];
  const token = ({ authorization, ...more }: IncomingHttpHeaders): string | null =>
    /^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ??
    (typeof more['private-token'] === 'string' ? more['private-token'] : null);
  return new FakeForge(model, { root: '/api/v4', token, refusal: (message) => ({ message }), routes }).listen();
}
