/** Pause, drain and freeze: rows that every publish reads again directly before its push. */
import type { FastifyRequest } from 'fastify';
import { SignalboxError } from '../../domain/errors.js';
import type { Gate } from '../../domain/merge-queue/types.js';
import { transaction } from '../../store/db.js';
import { activeGates, addGate, clearGates, gateHistory } from '../../store/gates.js';
import { audited } from '../audited.js';
import { principalOf, requireRepo } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { repoOf } from '../lookups.js';
import { RepoParams } from '../schemas/common.js';
import { FreezeList, GateAnswer, Resume, SerialGateUnfreeze, SetGate, Unfreeze } from '../schemas/system.js';

async function showGates(deps: ApiDeps, repo: string) {
  const gates = await activeGates(deps.pool, repo);
  const has = (kind: Gate['kind']): boolean => gates.some((gate) => gate.kind === kind);
  const state = has('freeze') ? 'frozen' : has('pause') ? 'paused' : has('drain') ? 'draining' : 'running';
  return { repo, state, gates };
}

async function unfreeze(
  deps: ApiDeps,
  request: FastifyRequest,
  repo: string,
  id: number | null,
  base: string | null,
): Promise<void> {
  const clear = { repo, kinds: ['freeze'] as const, id, base, by: principalOf(request).name, acceptTip: null };
  const cleared = await transaction(deps.pool, (tx) => clearGates(tx, clear));
  if (id !== null && cleared.length === 0) throw new SignalboxError('conflict', `no active freeze ${id} in ${repo}`);
}

/** A person may only accept what base is now: anything else was read too long ago. */
async function checkTip(deps: ApiDeps, repoName: string, base: string | null, acceptTip: string): Promise<void> {
  const repo = await repoOf(deps, repoName);
  const tip = await deps.gitReader.tip(repo, base ?? repo.base);
  if (tip !== acceptTip) {
    const detail = `the tip of ${base ?? repo.base} is ${tip ?? 'missing'}, not ${acceptTip}`;
    throw new SignalboxError('conflict', detail, { current: { tip } });
  }
}

export function gateRoutes(app: App, deps: ApiDeps): void {
  const tags = ['gates'];
  const kinds = {
    pause: 'Stop landing',
    drain: 'Finish what is queued, admit nothing',
    freeze: 'Freeze landings',
  } as const;
  for (const kind of ['pause', 'drain', 'freeze'] as const) {
    app.post(
      `/api/repos/:repo/${kind}`,
      {
        config: { scope: 'repos:admin' },
        schema: { tags, summary: kinds[kind], params: RepoParams, body: SetGate, response: { 200: GateAnswer } },
      },
      async (request) => {
        const repo = request.params.repo;
        const { reason, scope, base } = request.body;
        return audited(
          deps,
          request,
          { action: `repo.${kind}`, subject: repo, detail: { reason, scope, base } },
          async () => {
            await repoOf(deps, repo);
            const gate = {
              repo,
              kind,
              scope: scope ?? 'all',
              base: base ?? null,
              reason: reason ?? '',
              by: principalOf(request).name,
            };
            await transaction(deps.pool, (tx) => addGate(tx, gate));
            return showGates(deps, repo);
          },
        );
      },
    );
  }
  app.post(
    '/api/repos/:repo/resume',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'End pause and drain; accept a rewound tip',
        params: RepoParams,
        body: Resume,
        response: { 200: GateAnswer },
      },
    },
    async (request) => {
      const repo = request.params.repo;
      const { base = null, acceptTip = null, reason } = request.body;
      return audited(
        deps,
        request,
        { action: 'repo.resume', subject: repo, detail: { base, acceptTip, reason } },
        async () => {
          const found = await repoOf(deps, repo);
          if (acceptTip !== null) await checkTip(deps, repo, base, acceptTip);
          const clear = {
            repo,
            kinds: ['pause', 'drain'] as const,
            id: null,
            base: acceptTip === null ? base : (base ?? found.base),
            by: principalOf(request).name,
            acceptTip,
          };
          await transaction(deps.pool, async (tx) => {
            await clearGates(tx, clear);
            // The rewound tip is of one branch; the pause of all branches ends with the same words.
            if (acceptTip !== null && base === null) await clearGates(tx, { ...clear, base: null, acceptTip: null });
          });
          return showGates(deps, repo);
        },
      );
    },
  );
  app.post(
    '/api/repos/:repo/unfreeze',
    {
      config: { scope: 'repos:admin' },
      schema: {
        tags,
        summary: 'End all freezes, or the one named',
        params: RepoParams,
        body: Unfreeze,
        response: { 200: GateAnswer },
      },
    },
    async (request) => {
      const repo = request.params.repo;
      const { id = null, base = null, reason } = request.body;
      return audited(
        deps,
        request,
        { action: 'repo.unfreeze', subject: repo, detail: { id, base, reason } },
        async () => {
          await repoOf(deps, repo);
          await unfreeze(deps, request, repo, id, base);
          return showGates(deps, repo);
        },
      );
    },
  );
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
      return audited(deps, request, { action: 'repo.unfreeze', subject: repo, detail: { reason } }, async () => {
        const faults = [{ field: 'repo', value: repo, message: 'there is no such repository' }];
        await repoOf(deps, repo).catch((err: unknown) => {
          if (!(err instanceof SignalboxError) || err.code !== 'not-found') throw err;
          throw new SignalboxError('not-acceptable', `repo: there is no repository ${repo}`, { faults });
        });
        await unfreeze(deps, request, repo, null, null);
        return showGates(deps, repo);
      });
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
