/**
 * Which pipeline a task gets: its own, the repository record's, `.signalbox/pipeline.yaml` of the base branch (as a
 * blob; its last valid content where the present one is broken), the built-in one. Pinned when the task is accepted.
 */
import { SignalboxError } from '../domain/errors.js';
import { DEFAULT_PIPELINE } from '../domain/pipeline/default.js';
import type { Pipeline } from '../domain/pipeline/types.js';
import { checkPipeline, parsePipeline, type KnownNames, type PipelineResult } from '../domain/pipeline/validate.js';
import type { Repo } from '../domain/repos.js';
import { listProfiles } from '../store/agent-profiles.js';
import type { Db } from '../store/db.js';
import { updateRepo } from '../store/repos.js';
import type { ApiDeps } from './deps.js';
import { sameValue } from './same-value.js';
import { faultSummary } from './validation.js';

export const PIPELINE_FILE = '.signalbox/pipeline.yaml';

async function knownNames(db: Db, checks: readonly { name: string }[]): Promise<KnownNames> {
  const profiles = await listProfiles(db);
  return { profiles: profiles.map((p) => p.name), checks: checks.map((c) => c.name) };
}

function accept(result: PipelineResult): Pipeline {
  if (result.ok) return result.pipeline;
  throw new SignalboxError(result.code, faultSummary(result.faults), { faults: result.faults });
}

/** The pipeline of a request, with all its faults at once; null when the request brings none. */
export async function readPipeline(
  db: Db,
  value: unknown,
  checks: readonly { name: string }[],
): Promise<Pipeline | null> {
  if (value === null || value === undefined) return null;
  return accept(checkPipeline(value, await knownNames(db, checks)));
}

/**
 * A stored pipeline beside checks that are about to replace the ones it was judged with. Throws naming `checks`, since
 * that is the field of the request.
 */
export function judgeChecks(pipeline: Pipeline | null, checks: readonly { name: string }[]): void {
  if (pipeline === null) return;
  const result = checkPipeline(pipeline, { profiles: null, checks: checks.map((c) => c.name) });
  if (result.ok) return;
  const faults = result.faults.map(({ field, value, message }) => ({
    field: 'checks',
    value,
    message: `do not fit the repository's pipeline: ${field} ${message}`,
  }));
  throw new SignalboxError(result.code, faultSummary(faults), { faults });
}

async function fromBase(deps: ApiDeps, repo: Repo, known: KnownNames): Promise<Pipeline | null> {
  const last = repo.facts.lastPipeline ?? null;
  // A broken file (or an unreachable remote) must not stop tasks where a valid one is known.
  const stillValid = last !== null && checkPipeline(last, known).ok;
  let blob: Buffer | null;
  try {
    blob = await deps.gitReader.baseFile(repo, PIPELINE_FILE);
  } catch (err) {
    if (stillValid && err instanceof SignalboxError && err.retryable) return last;
    throw err;
  }
  if (blob === null) return null;
  const result = parsePipeline(blob.toString('utf8'), known, PIPELINE_FILE);
  if (!result.ok && stillValid) {
    deps.logger.warn(
      { repo: repo.id, faults: result.faults },
      `${PIPELINE_FILE} is not valid: the last valid one is used`,
    );
    return last;
  }
  const pipeline = accept(result);
  if (!sameValue(pipeline, last)) {
    await updateRepo(deps.pool, repo.id, { facts: { lastPipeline: pipeline } });
  }
  return pipeline;
}

/** For a new task of `repo`; `own` comes from the request. Throws with every fault, naming the command that mends it. */
export async function pipelineOfTask(deps: ApiDeps, repo: Repo, own: unknown): Promise<Pipeline> {
  const known = await knownNames(deps.pool, repo.config.checks);
  if (own !== null && own !== undefined) return accept(checkPipeline(own, known));
  // Profiles may have gone since the record was written: its references are judged again.
  if (repo.config.pipeline !== null) return accept(checkPipeline(repo.config.pipeline, known));
  return (await fromBase(deps, repo, known)) ?? accept(checkPipeline(DEFAULT_PIPELINE, known));
}
