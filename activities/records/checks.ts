/** Verdicts: looked up by content, asked of a check workflow when there is none yet. */
import { configHash, selectChecks } from '../../domain/checks/config-hash.js';
import { stepsOf } from '../../domain/checks/external.js';
import type { CheckSource, Verdict } from '../../domain/checks/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import { transaction } from '../../store/db.js';
import { finishCheckJob, startCheckJob } from '../../store/jobs.js';
import { getRepo } from '../../store/repos.js';
import { mirrorTask } from '../../store/task-mirror.js';
import { getVerdict, recordVerdict } from '../../store/verdicts.js';
import type { CheckInput, CheckRequest, RecordActivities } from '../../workflows/activities.js';
import { checkWorkflowId, controlQueue, verdictKey } from '../../workflows/ids.js';
import { subscribe } from '../../workflows/messages.js';
import { SignalboxRepo } from '../../workflows/search-attributes.js';
import type { RecordDeps } from './deps.js';

type CheckRecords = Pick<RecordActivities, 'requestCheck' | 'dropCheck' | 'recordVerdict'>;

export function checkRecords(deps: RecordDeps): CheckRecords {
  const { pool, client, settings, queuePrefix } = deps;
  const backoff = { baseMs: settings.BACKOFF_BASE, maxMs: settings.BACKOFF_MAX };
  return {
    async requestCheck(request) {
      const { mirror } = request;
      if (mirror !== null) await transaction(pool, (tx) => mirrorTask(tx, mirror));
      const repo = await getRepo(pool, request.repo);
      if (repo === null) throw new SignalboxError('not-found', `there is no repository ${request.repo}`);
      const checks = selectChecks(repo.config.checks, request.checks);
      if (checks.length === 0) return { kind: 'verdict', verdict: noChecks(request) };

      const { source, commit, tree } = await locate(deps, repo, request.source);
      const hash = configHash(checks, repo.config.setup, commit);
      const key = verdictKey(repo.id, tree, hash);
      const known = await getVerdict(pool, key);
      if (known !== null && known.verdict !== 'fault') return { kind: 'verdict', verdict: known, backoff };

      const workflowId = checkWorkflowId(repo.id, tree, hash);
      const steps = stepsOf(checks);
      const input: CheckInput = {
        ...{ key, repo: repo.id, tree, configHash: hash, checks: request.checks, source, queuePrefix },
        ...(steps === null ? {} : { steps }),
        subscribers: [],
        settings: {
          hostStale: settings.AGENT_STALE,
          ...{ backoffBase: settings.BACKOFF_BASE, backoffMax: settings.BACKOFF_MAX },
          maxAttempts: settings.MAX_ATTEMPTS,
        },
      };
      await startCheckJob(pool, { runId: workflowId, repo: repo.id, workItem: workItemOf(source), workflowId });
      await client.workflow.signalWithStart('check', {
        workflowId,
        taskQueue: controlQueue(queuePrefix),
        args: [input],
        signal: subscribe,
        signalArgs: [{ workflowId: request.subscriber }],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        staticSummary: `checks ${tree.slice(0, 12)} of ${repo.id}`,
        typedSearchAttributes: [{ key: SignalboxRepo, value: repo.id }],
      });
      return { kind: 'pending', key, workflowId, backoff };
    },

    async dropCheck(workflowId, reason) {
      await finishCheckJob(pool, workflowId, reason);
    },

    async recordVerdict(verdict, runs) {
      const stored = await recordVerdict(pool, verdict, runs);
      const workflowId = checkWorkflowId(verdict.repo, verdict.tree, verdict.configHash);
      const green = stored.verdict === 'green' || stored.verdict === 'none';
      const what = stored.failed === null ? (stored.reason ?? stored.verdict) : `${stored.failed.name} is red`;
      await finishCheckJob(pool, workflowId, green ? null : what);
      return stored;
    },
  };
}

/** A verdict of the configuration, not of a tree: it is never stored. */
function noChecks(request: CheckRequest): Verdict {
  const tree = request.source.kind === 'plan' ? request.source.plan.tree : '';
  return {
    ...{ key: verdictKey(request.repo, tree, 'none'), repo: request.repo, tree, configHash: 'none', verdict: 'none' },
    ...{ failed: null, flaky: false, reason: 'the repository has no checks', at: new Date().toISOString() },
  };
}

/** The source by content: a fixed commit and its tree. A plan knows its own. */
async function locate(
  deps: RecordDeps,
  repo: Repo,
  source: CheckRequest['source'],
): Promise<{ source: CheckSource; commit: string; tree: string }> {
  if (source.kind === 'plan') return { source, commit: source.plan.commit, tree: source.plan.tree };
  const found = await deps.resolveTree(repo, source);
  const fixed: CheckSource =
    source.kind === 'base-now' ? { kind: 'base', branch: source.branch, commit: found.commit } : source;
  return { source: fixed, ...found };
}

function workItemOf(source: CheckSource): string | null {
  if (source.kind === 'head') return source.workItem;
  return source.kind === 'plan' ? source.plan.entry.workItem : null;
}
