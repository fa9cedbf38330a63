/** What deliveries of forges say about statuses of commits. A hint to look at once, never believed by itself. */

export const HOOK_SOURCES = ['github', 'gitea', 'gitlab'] as const;
export type HookSource = (typeof HOOK_SOURCES)[number];

export type Delivery =
  /** `context` null: something about the commit, not said which check. */
  | { kind: 'status'; project: string; sha: string; context: string | null }
  /** Of an event that is of no use here. */
  | { kind: 'ignored'; reason: string }
  | { kind: 'malformed'; field: string; message: string };

/** @param event as the sender's header names it; GitLab names it in the body too */
export function readDelivery(source: HookSource, event: string, payload: unknown): Delivery {
  if (!isObject(payload)) return malformed('', 'must be an object');
  return source === 'gitlab' ? gitlab(payload) : hub(event, payload);
}

/** GitHub, and Gitea, which speaks like it. */
function hub(event: string, payload: Json): Delivery {
  if (event === 'status') {
    return status(payload, ['repository', 'full_name'], ['sha'], ['context']);
  }
  if (event === 'check_run') {
    return status(payload, ['repository', 'full_name'], ['check_run', 'head_sha'], ['check_run', 'name']);
  }
  return ignored(event);
}

function gitlab(payload: Json): Delivery {
  const project = ['project', 'path_with_namespace'];
  switch (payload['object_kind']) {
    case 'build':
      return status(payload, project, ['sha'], ['build_name']);
    case 'pipeline':
      return status(payload, project, ['object_attributes', 'sha'], null);
    default:
      return ignored(typeof payload['object_kind'] === 'string' ? payload['object_kind'] : 'no object_kind');
  }
}

const OID = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

function status(payload: Json, projectAt: string[], shaAt: string[], contextAt: string[] | null): Delivery {
  const [project, sha] = [at(payload, projectAt), at(payload, shaAt)];
  const context = contextAt === null ? null : at(payload, contextAt);
  if (typeof project !== 'string') return malformed(projectAt.join('.'), 'must be text');
  if (typeof sha !== 'string' || !OID.test(sha)) return malformed(shaAt.join('.'), 'must be a full commit id');
  if (context !== null && typeof context !== 'string') return malformed(contextAt?.join('.') ?? '', 'must be text');
  return { kind: 'status', project, sha, context };
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is at a path; undefined where there is nothing. */
const at = (payload: Json, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), payload);

const malformed = (field: string, message: string): Delivery => ({ kind: 'malformed', field, message });
const ignored = (event: string): Delivery => ({
  kind: 'ignored',
  reason: `the event ${event.slice(0, 100)} is not used; those about statuses, checks and jobs are`,
});
