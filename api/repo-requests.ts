/** A repository as requests write it, as it is stored, and as answers show it. */
import type { CheckConfig, SetupConfig } from '../domain/checks/types.js';
import { forgeOf, projectFault, readApiAddress, type ForgeConfig } from '../domain/forges.js';
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

type CheckBody = NonNullable<NonNullable<PatchRepo['checks']>>[number];

/** What each kind does not have. */
const FOREIGN = { command: ['context'], external: ['command', 'env', 'needsHistory'] } as const;

function readCheck(check: CheckBody, at: string): CheckConfig {
  const { name, kind = 'command' } = check;
  for (const field of FOREIGN[kind]) {
    if (check[field] === undefined) continue;
    refuse('invalid-request', `${at}.${field}`, check[field], `must be absent when ${at}.kind is ${kind}`);
  }
  const missing = (field: string): never =>
    refuse('invalid-request', `${at}.${field}`, undefined, `is required when ${at}.kind is ${kind}`);
  if (kind === 'external') {
    const context = check.context ?? missing('context');
    return { name, kind, context, timeout: readDuration(`${at}.timeout`, check.timeout, '1h') };
  }
  return {
    ...{ name, kind, command: check.command ?? missing('command') },
    timeout: readDuration(`${at}.timeout`, check.timeout, '20m'),
    ...{ env: check.env ?? {}, needsHistory: check.needsHistory ?? false },
  };
}

function readChecks(checks: PatchRepo['checks']): CheckConfig[] {
  return (checks ?? []).map((check, i, all) => {
    const at = `checks[${i}]`;
    if (all.findIndex((c) => c.name === check.name) !== i)
      refuse('invalid-request', `${at}.name`, check.name, 'is the name of another check');
    return readCheck(check, at);
  });
}

const API_ADDRESS: Readonly<Partial<Record<ForgeConfig['kind'], string>>> = {
  github: 'https://api.github.com',
  gitlab: 'https://gitlab.com',
};

function readForge(forge: PatchRepo['forge']): ForgeConfig | null {
  if (forge == null) return null;
  const { kind, project } = forge;
  const text = forge.api ?? API_ADDRESS[kind];
  if (text === undefined)
    return refuse('invalid-request', 'forge.api', undefined, `is required when forge.kind is ${kind}`);
  const read = readApiAddress(kind, text);
  if (!read.ok) return refuse('not-acceptable', 'forge.api', text, `allowed: ${read.reason}`);
  const fault = projectFault(kind, project);
  if (fault !== null) refuse('not-acceptable', 'forge.project', project, `allowed: ${fault}`);
  return { kind, api: read.api, project };
}

/** The configuration a request asks for, on top of what is there. `pipeline` was validated by the caller. */
export function readConfig(
  body: CreateRepo | PatchRepo,
  current: RepoConfig | null,
  pipeline: Pipeline | null,
): RepoConfig {
  const given = (field: keyof PatchRepo): boolean => current === null || body[field] !== undefined;
  const forge = given('forge') || current === null ? readForge(body.forge) : (current.forge ?? null);
  return {
    auth: given('auth') || current === null ? readAuth(body.auth) : current.auth,
    merge: given('merge') || current === null ? { strategy: body.merge?.strategy ?? 'auto' } : current.merge,
    ...(forge !== null && { forge }),
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
    forge: forgeOf(repo),
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
