/** Forges: where pull requests and the statuses of commits are kept, and how a repository names its own. */
import { checkRemote } from './remotes.js';

export const FORGE_KINDS = ['github', 'gitea', 'gitlab'] as const;
/** `gitea` is also Forgejo. */
export type ForgeKind = (typeof FORGE_KINDS)[number];

export interface ForgeConfig {
  kind: ForgeKind;
  /** Address of the API, without a slash at the end. */
  api: string;
  /** `owner/name`; of GitLab also with groups in between. */
  project: string;
}

/** The public ones, whose addresses say by themselves what they are. */
const PUBLIC: Readonly<Record<string, Pick<ForgeConfig, 'kind' | 'api'>>> = {
  'github.com': { kind: 'github', api: 'https://api.github.com' },
  'gitlab.com': { kind: 'gitlab', api: 'https://gitlab.com' },
};

const PART = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/;

/** Why it cannot be the project of a forge of this kind; null if it can. */
export function projectFault(kind: ForgeKind, project: string): string | null {
  const parts = project.split('/');
  const fits = kind === 'gitlab' ? parts.length >= 2 && parts.length <= 21 : parts.length === 2;
  if (fits && parts.every((part) => PART.test(part))) return null;
  return kind === 'gitlab' ? 'group/name, with subgroups group/sub/name' : 'owner/name';
}

/** The forge that a remote's address names by itself, or null. */
export function forgeOfRemote(remote: string): ForgeConfig | null {
  const checked = checkRemote(remote);
  if (!checked.ok || checked.address.protocol === 'file') return null;
  const [host = '', ...path] = checked.address.key.split('/');
  const found = PUBLIC[host];
  const project = path.join('/');
  return found === undefined || projectFault(found.kind, project) !== null ? null : { ...found, project };
}

/** The forge of a repository: as it is configured, else as its remote says; null where there is none. */
export const forgeOf = (repo: { remote: string; config: { forge?: ForgeConfig | null } }): ForgeConfig | null =>
  repo.config.forge ?? forgeOfRemote(repo.remote);

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * An address of an API in one form: no slash and no version of the API at the end where the client adds it. The reason
 * where it is not accepted: it carries the token, so it is https, or http on this machine.
 */
export function readApiAddress(
  kind: ForgeKind,
  text: string,
): { ok: true; api: string } | { ok: false; reason: string } {
  const match =
    /^(https?):\/\/([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,64}\])(:\d{1,5})?(\/[A-Za-z0-9._~/-]*)?$/.exec(
      text,
    );
  if (match?.[2] === undefined)
    return { ok: false, reason: 'https://HOST, with a port and a path if need be, and nothing else' };
  const [, scheme, host, port = '', path = ''] = match;
  if (scheme === 'http' && !LOOPBACK.test(host.toLowerCase())) {
    return { ok: false, reason: 'https://, since the token goes there; http:// only on this machine' };
  }
  if (path.split('/').some((part) => part === '.' || part === '..'))
    return { ok: false, reason: 'a path without . and ..' };
  const bare = path.replace(/\/+$/, '');
  const versionless = kind === 'github' ? bare : bare.replace(/\/api\/v\d$/, '');
  return { ok: true, api: `${scheme}://${host.toLowerCase()}${port}${versionless}` };
}

export type PullRequestState = 'open' | 'merged' | 'closed';

/** How a status of a commit looks from here, whatever the forge calls it. */
export type StatusState = 'pending' | 'success' | 'failure';

/** What a forge says of a named status or check of a commit. */
export type StatusReading =
  /** Nobody has said anything yet. */
  | { state: 'absent' }
  | { state: 'pending' | 'success' | 'failure' | 'error'; description: string; url: string | null }
  /** It ended without saying anything of the content: cancelled, timed out at the forge. */
  | { state: 'lost'; description: string; url: string | null };
