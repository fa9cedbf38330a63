import type { LiveHead, Pair } from '../../domain/conflicts/types.js';
import { conflictingPairs, lastScan, listFlags } from '../../store/conflicts.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf, requireBase } from '../lookups.js';
import { RepoParams } from '../schemas/common.js';
import { Conflicts, ConflictsQuery } from '../schemas/conflicts.js';

type Conflict = Pair & { paths: string[] };

/** One row for each two names: two tasks may have the same head. */
function named(pairs: Conflict[], base: string, baseOid: string | null, live: readonly LiveHead[]) {
  const names = (oid: string): string[] =>
    oid === baseOid ? [base] : live.filter(({ head }) => head === oid).map(({ task }) => task);
  return pairs.flatMap(({ a, b, paths }) =>
    names(a).flatMap((first) =>
      names(b).map((second) => ({ a: { name: first, oid: a }, b: { name: second, oid: b }, paths })),
    ),
  );
}

export function conflictRoutes(app: App, deps: ApiDeps): void {
  app.get(
    '/api/repos/:repo/conflicts',
    {
      config: { scope: 'tasks:read' },
      schema: {
        tags: ['merge queue'],
        summary: 'Live work that will not merge: with base, or with each other',
        params: RepoParams,
        querystring: ConflictsQuery,
        response: { 200: Conflicts },
      },
    },
    async (request) => {
      const repo = await repoOf(deps, request.params.repo);
      requireBase(repo, request.query.base);
      const base = request.query.base ?? repo.base;
      const [scan, flags, pairs] = await Promise.all([
        lastScan(deps.pool, repo.id, base),
        listFlags(deps.pool, repo.id, base),
        conflictingPairs(deps.pool, repo.id, base),
      ]);
      const baseOid = scan?.baseOid ?? null;
      return {
        ...{ repo: repo.id, base, baseOid, flags },
        pairs: named(pairs, base, baseOid, scan?.live ?? []),
        scan: scan?.report == null ? null : { at: scan.at, ...scan.report },
        fault: scan?.fault ?? null,
      };
    },
  );
}
