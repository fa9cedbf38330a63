/** Pause, drain and freeze: rows that every publish reads again directly before its push. */
import type { FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { transaction } from '../../store/db.js';
import { addGate, clearGates, gateHistory, type ClearGates } from '../../store/gates.js';
import { audited } from '../audited.js';
import { principalOf, requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoNamed, repoOf, requireBase } from '../lookups.js';
import { queueStanding } from '../queue-standing.js';
import { RepoParams } from '../schemas/common.js';
import { FreezeList, GateAnswer, Resume, SerialGateUnfreeze, SetGate, Unfreeze } from '../schemas/system.js';

async function showGates(deps: ApiDeps, repo: Repo, base: string | null) {
  const { state, gates } = await queueStanding(deps, repo.id, base ?? repo.base);
  return { repo: repo.id, base: base ?? repo.base, state, gates };
}

async function unfreeze(
  deps: ApiDeps,
  request: FastifyRequest,
  repo: string,
  which: Pick<ClearGates, 'id' | 'base' | 'scope'>,
): Promise<void> {
  const { id } = which;
  const clear = { ...which, repo, kinds: ['freeze'] as const, by: principalOf(request).name, acceptTip: null };
  const cleared = await transaction(deps.pool, (tx) => clearGates(tx, clear));
  if (id !== null && cleared.length === 0) throw new SignalboxError('conflict', `no active freeze ${id} in ${repo}`);
}

/** A person may only accept what base is now: anything else was read too long ago. */
async function checkTip(deps: ApiDeps, repo: Repo, base: string | null, acceptTip: string): Promise<void> {
  const tip = await deps.gitReader.tip(repo, base ?? repo.base);
  if (tip !== acceptTip) {
    const detail = `the tip of ${base ?? repo.base} is ${tip ?? 'missing'}, not ${acceptTip}`;
    throw new SignalboxError('conflict', detail, { current: { tip } });
  }
}

export function gateRoutes(app: App, deps: ApiDeps): void {
  const tags = ['gates'];
  /** Changes the gates of a repository, with its audit row; answers how the queue of `base` stands then. */
  const change = (
    request: FastifyRequest,
    id: string,
    action: string,
    detail: { base?: string | null | undefined; [more: string]: unknown },
    act: (repo: Repo) => Promise<unknown>,
  ) =>
    audited(deps, request, { action: `repo.${action}`, subject: id, detail }, async () => {
      const repo = await repoOf(deps, id);
      requireBase(repo, detail.base);
      await act(repo);
      return showGates(deps, repo, detail.base ?? null);
    });
  const route = <Body extends TSchema>(summary: string, body: Body) => ({
    config: { scope: 'repos:admin' as const },
    schema: { tags, summary, params: RepoParams, body, response: { 200: GateAnswer } },
  });

  const kinds = {
    pause: 'Stop landing',
    drain: 'Finish what is queued, admit nothing',
    freeze: 'Freeze landings',
  } as const;
  for (const kind of ['pause', 'drain', 'freeze'] as const) {
    app.post(`/api/repos/:repo/${kind}`, route(kinds[kind], SetGate), (request) => {
      const { reason, scope, base } = request.body;
      return change(request, request.params.repo, kind, { reason, scope, base }, (repo) => {
        const by = principalOf(request).name;
        const gate = { repo: repo.id, kind, scope: scope ?? 'all', base: base ?? null, reason: reason ?? '', by };
        return transaction(deps.pool, (tx) => addGate(tx, gate));
      });
    });
  }
  app.post('/api/repos/:repo/resume', route('End pause and drain; accept a rewound tip', Resume), (request) => {
    const { base = null, scope = null, acceptTip = null, reason } = request.body;
    return change(request, request.params.repo, 'resume', { base, scope, acceptTip, reason }, async (repo) => {
      if (acceptTip !== null) await checkTip(deps, repo, base, acceptTip);
      const clear = {
        repo: repo.id,
        kinds: ['pause', 'drain'] as const,
        id: null,
        scope,
        base: acceptTip === null ? base : (base ?? repo.base),
        by: principalOf(request).name,
        acceptTip,
      };
      await transaction(deps.pool, async (tx) => {
        await clearGates(tx, clear);
        // The rewound tip is of one branch; the pause of all branches ends with the same words.
        if (acceptTip !== null && base === null) await clearGates(tx, { ...clear, base: null, acceptTip: null });
      });
    });
  });
  app.post('/api/repos/:repo/unfreeze', route('End all freezes, or the one named', Unfreeze), (request) => {
    const { id = null, base = null, scope = null, reason } = request.body;
    return change(request, request.params.repo, 'unfreeze', { id, base, scope, reason }, (repo) =>
      unfreeze(deps, request, repo.id, { id, base, scope }),
    );
  });
  app.post(
    '/api/serial-gate/unfreeze',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'End all freezes of a repository',
        body: SerialGateUnfreeze,
        response: { 200: GateAnswer },
      },
    },
    async (request) => {
      const { repo, reason } = request.body;
      requireRepo(request, repo);
      await repoNamed(deps, 'repo', repo);
      return change(request, repo, 'unfreeze', { reason }, () =>
        unfreeze(deps, request, repo, { id: null, base: null, scope: null }),
      );
    },
  );
  app.get(
    '/api/repos/:repo/freezes',
    {
      config: { scope: 'tasks:read' },
      schema: {
        tags,
        summary: 'Pauses, drains and freezes, newest first',
        params: RepoParams,
        response: { 200: FreezeList },
      },
    },
    async (request) => {
      await repoOf(deps, request.params.repo);
      return { items: await gateHistory(deps.pool, request.params.repo), next: null };
    },
  );
}
