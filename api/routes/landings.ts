/** What landed on a base branch: proven. */
import { auditBase } from '../audit-base.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf } from '../lookups.js';
import { RepoParams } from '../schemas/common.js';
import { BaseAudit, BaseAuditQuery } from '../schemas/landings.js';

export function landingRoutes(app: App, deps: ApiDeps): void {
  const tags = ['merge queue'];
  app.get(
    '/api/repos/:repo/audit',
    {
      config: { scope: 'tasks:read' },
      schema: {
        tags,
        summary: 'Proves the landings on a base branch, from the remote and the store',
        params: RepoParams,
        querystring: BaseAuditQuery,
        response: { 200: BaseAudit },
      },
    },
    async (request) => {
      const repo = await repoOf(deps, request.params.repo);
      const { base = repo.base, since = null, strict = false } = request.query;
      return auditBase(deps, repo, { base, since, strict });
    },
  );
}
