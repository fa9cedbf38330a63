/** The remote: what its refs are now, fetching them, and leased pushes. Every answer is read by a new process. */
import { SignalboxError } from '../../domain/errors.js';
import { checkRemote } from '../../domain/remotes.js';
import type { Repo, RepoAuth } from '../../domain/repos.js';
import { resolveAuth } from './auth.js';
import { lastWords, REMOTE_TIMEOUT, type GitCall } from './command.js';
import type { Gate } from './gate.js';
import type { GitHost } from './host.js';

export interface Remote {
  url: string;
  local: boolean;
  call: GitCall;
}

/** Checks the address and resolves the credentials, for calls that follow at once. */
export async function openRemote(host: GitHost, url: string, auth: RepoAuth): Promise<Remote> {
  const checked = checkRemote(url);
  if (!checked.ok) throw new SignalboxError('not-acceptable', `remote: ${checked.reason}`);
  const { protocol, url: address } = checked.address;
  const local = protocol === 'file';
  const secret = local ? { env: {}, config: [] } : await resolveAuth(auth, host.lookup, host.privateDir);
  return {
    url: address,
    local,
    call: { env: secret.env, config: secret.config, protocols: protocol, timeout: REMOTE_TIMEOUT },
  };
}

// Programs of a local remote run through a shell and drop our settings; it may belong to another user.
export const UPLOAD_PACK = `--upload-pack=git -c 'safe.directory=*' upload-pack`;
// The branch may be checked out there: the push updates the ref alone, and the checkout follows where that is wanted.
const RECEIVE_PACK = `--receive-pack=git -c 'safe.directory=*' -c receive.denyCurrentBranch=ignore receive-pack`;

/** Whatever git says, the caller looks at it. */
export const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

export const baseRef = (repo: Repo): string => `refs/heads/${repo.base}`;
export const tipRef = (repo: Repo): string => `${repo.facts.tipPrefix}${repo.base}`;
export const headRef = (repo: Repo, workItem: string): string => `${repo.facts.headsPrefix}${workItem}`;

/** The refs that exist, of those asked for. */
export async function listRemote(host: GitHost, remote: Remote, refs: readonly string[]): Promise<Map<string, string>> {
  const args = ['ls-remote', '--quiet', ...(remote.local ? [UPLOAD_PACK] : []), '--', remote.url, ...refs];
  const { stdout } = await host.git.run(args, remote.call);
  const found = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const [oid, name] = line.split('\t');
    // Patterns match the end of a name, so that others may be listed too.
    if (oid !== undefined && name !== undefined && (refs.length === 0 || refs.includes(name))) found.set(name, oid);
  }
  return found;
}

const gateRef = (ref: string): string => ref.replace(/^refs\//, 'refs/gate/');

/** Brings the refs into the gate, as `refs/gate/…`; they must exist. */
export async function fetchRefs(gate: Gate, refs: readonly string[]): Promise<void> {
  await gate.run(fetchArgs(gate, refs), gate.remote.call);
}

const fetchArgs = (gate: Gate, refs: readonly string[]): string[] => [
  // These refs are notes: after a power cut they are read again.
  ...[
    '-c',
    'core.fsync=all,-reference',
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-auto-maintenance',
  ],
  ...(gate.remote.local ? [UPLOAD_PACK] : []),
  ...['--', gate.remote.url, ...refs.map((ref) => `+${ref}:${gateRef(ref)}`)],
];

/** The refs as one fetch found them; null where it brought nothing, as when one of them is gone: then list them. */
async function fetchAll(gate: Gate, refs: readonly string[]): Promise<Map<string, string> | null> {
  gate.host.heartbeat('fetch');
  const { code } = await gate.run(fetchArgs(gate, refs), { ...gate.remote.call, answers: ANY_CODE });
  if (code !== 0) return null;
  const found = await gate.objects.info(refs.map(gateRef));
  if (found.some((object) => object?.type !== 'commit')) return null;
  return new Map(refs.map((ref, i) => [ref, found[i]?.oid ?? '']));
}

/**
 * Reads the refs and makes sure that what they point to is in the gate. One listing, so one moment of the remote.
 * `wanted`: a commit that one of them is expected to bring; where the gate lacks it, a fetch comes first, which lists
 * as well.
 */
export async function readRemote(gate: Gate, refs: readonly string[], wanted?: string): Promise<Map<string, string>> {
  if (wanted !== undefined && (await missingObjects(gate, [wanted])).size > 0) {
    const fetched = await fetchAll(gate, refs);
    if (fetched !== null) return fetched;
  }
  for (let round = 0; round < 5; round += 1) {
    const found = await listRemote(gate.host, gate.remote, refs);
    if (found.size === 0) return found;
    const missing = await missingObjects(gate, [...found.values()]);
    const wanted = [...found].filter(([, oid]) => missing.has(oid)).map(([ref]) => ref);
    if (wanted.length === 0) return found;
    gate.host.heartbeat('fetch');
    await fetchRefs(gate, wanted);
    if ((await missingObjects(gate, [...found.values()])).size === 0) return found;
    // The refs moved between listing and fetching: look again.
  }
  throw new SignalboxError('git-infrastructure', 'the refs of the remote do not hold still');
}

/** The commits that the gate lacks. (A fetch that was cut off may leave one without its history: then git complains,
 * and the gate is made anew.) */
async function missingObjects(gate: Gate, oids: readonly string[]): Promise<Set<string>> {
  const found = await gate.objects.info(oids);
  return new Set(oids.filter((_, i) => found[i]?.type !== 'commit'));
}

export interface RefUpdate {
  ref: string;
  /** What it becomes; '' = deleted. */
  oid: string;
  /** What it must be now; null = must not exist. */
  expect: string | null;
}

export type PushResult =
  | { kind: 'pushed' }
  /** Some lease did not hold: nothing was changed. */
  | { kind: 'lease-lost'; reason: string }
  /** The remote refuses: a hook, a protected branch. Nothing was changed. */
  | { kind: 'refused'; reason: string }
  /** Unknown: look at the remote. */
  | { kind: 'unknown'; reason: string };

const RACES =
  /stale info|cannot lock ref|unable to lock|failed to (?:lock|update|write)|incorrect old value|fetch first|non-fast-forward/i;

/** The remote could not take the objects in: a process of the push died, a disk is full. */
const NOT_UNPACKED = /unpacker error|missing necessary objects/;
/** It would not take them another time either. */
const UNPACK_RULES = /fsck error|exceeds maximum allowed size/;

/** One atomic push of all updates, each leased. What it says is a hint: proof is reading the remote back. */
export async function push(gate: Gate, updates: readonly RefUpdate[]): Promise<PushResult> {
  const args = [
    ...['push', '--porcelain', '--quiet', '--atomic', '--no-verify', '--no-signed'],
    ...(gate.remote.local ? [RECEIVE_PACK] : []),
    ...updates.map((u) => `--force-with-lease=${u.ref}:${u.expect ?? ''}`),
    ...['--', gate.remote.url, ...updates.map((u) => `${u.oid}:${u.ref}`)],
  ];
  const { code, stdout, stderr } = await gate.run(args, { ...gate.remote.call, answers: ANY_CODE });
  if (code === 0) return { kind: 'pushed' };
  const rejected = stdout
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.split('\t')[2] ?? '')
    .filter((why) => !/atomic (?:push failed|transaction)/i.test(why));
  const reason = [...rejected, lastWords(stderr)].join('; ').slice(0, 1000);
  if (rejected.some((why) => RACES.test(why))) return { kind: 'lease-lost', reason };
  const mishap = rejected.every((why) => NOT_UNPACKED.test(why)) && !UNPACK_RULES.test(stderr);
  if (!mishap && rejected.some((why) => why.includes('[remote rejected]'))) return { kind: 'refused', reason };
  return { kind: 'unknown', reason };
}
