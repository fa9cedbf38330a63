/** What landed on a base branch: proven, and recorded anew after the records were lost. */
import { auditBase } from '../audit-base.js';
import { audited } from '../audited.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf } from '../lookups.js';
import { rebuildLandings } from '../rebuild-landings.js';
import { RepoParams } from '../schemas/common.js';
import { BaseAudit, BaseAuditQuery, Rebuild, Rebuilt } from '../schemas/landings.js';

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
  app.post(
    '/api/repos/:repo/rebuild',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'Restores the records of landings from the remote, after the store was lost',
        params: RepoParams,
        body: Rebuild,
        response: { 200: Rebuilt },
      },
    },
    async (request) => {
      const id = request.params.repo;
      const { base = null } = request.body;
      return audited(deps, request, { action: 'repo.rebuild', subject: id, detail: { base } }, async () => {
        const repo = await repoOf(deps, id);
        return rebuildLandings(deps, repo, base ?? repo.base);
      });
    },
  );
}
