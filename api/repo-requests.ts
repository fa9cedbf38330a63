/** A repository as requests write it, as it is stored, and as answers show it. */
import type { CheckConfig, SetupConfig } from '../domain/checks/types.js';
import type { Pipeline } from '../domain/pipeline/types.js';
import { repoNotes, type Repo, type RepoAuth, type RepoConfig } from '../domain/repos.js';
import { readDuration, showDuration } from './durations.js';
import { refuse } from './refuse.js';
import type { CreateRepo, PatchRepo } from './schemas/repos.js';

function readAuth(auth: PatchRepo['auth']): RepoAuth {
  const kind = auth?.kind ?? 'none';
  const ref = auth?.ref ?? null;
  if (kind === 'none' && ref !== null)
    refuse('invalid-request', 'auth.ref', ref, 'must be absent when auth.kind is none');
  if (kind !== 'none' && ref === null)
    refuse('invalid-request', 'auth.ref', ref, `is required when auth.kind is ${kind}`);
  return { kind, ref };
}

function readSetup(setup: PatchRepo['setup']): SetupConfig | null {
  if (setup == null) return null;
  return {
    command: setup.command,
    timeout: readDuration('setup.timeout', setup.timeout, '10m'),
    cache: setup.cache ?? [],
    cacheKey: setup.cacheKey ?? [],
  };
}

function readChecks(checks: PatchRepo['checks']): CheckConfig[] {
  return (checks ?? []).map((check, i, all) => {
    const at = `checks[${i}]`;
    if (all.findIndex((c) => c.name === check.name) !== i)
      refuse('invalid-request', `${at}.name`, check.name, 'is the name of another check');
    return {
      name: check.name,
      kind: 'command',
      command: check.command ?? refuse('invalid-request', `${at}.command`, undefined, 'is required'),
      timeout: readDuration(`${at}.timeout`, check.timeout, '20m'),
      env: check.env ?? {},
      needsHistory: check.needsHistory ?? false,
    };
  });
}

/** The configuration a request asks for, on top of what is there. `pipeline` was validated by the caller. */
export function readConfig(
  body: CreateRepo | PatchRepo,
  current: RepoConfig | null,
  pipeline: Pipeline | null,
): RepoConfig {
  const given = (field: keyof PatchRepo): boolean => current === null || body[field] !== undefined;
  return {
    auth: given('auth') || current === null ? readAuth(body.auth) : current.auth,
    merge: given('merge') || current === null ? { strategy: body.merge?.strategy ?? 'auto' } : current.merge,
    checkout: given('checkout') || current === null ? (body.checkout ?? null) : current.checkout,
    setup: given('setup') || current === null ? readSetup(body.setup) : current.setup,
    checks: given('checks') || current === null ? readChecks(body.checks) : current.checks,
    pipeline: given('pipeline') || current === null ? pipeline : current.pipeline,
  };
}

export function showRepo(repo: Repo) {
  const { config } = repo;
  return {
    id: repo.id,
    remote: repo.remote,
    base: repo.base,
    workItemPrefix: repo.prefix,
    auth: config.auth,
    merge: config.merge,
    checkout: config.checkout,
    setup: config.setup === null ? null : { ...config.setup, timeout: showDuration(config.setup.timeout) },
    checks: config.checks.map((check) => ({ ...check, timeout: showDuration(check.timeout) })),
    pipeline: config.pipeline,
    limits: { activeTasks: null, waitingForPeople: null },
    facts: repo.facts,
    notes: repoNotes(repo),
    adoptedAt: repo.adoptedAt,
    createdAt: repo.createdAt,
  };
}
