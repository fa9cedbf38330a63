/** Addresses of remotes and names of branches: what is accepted, and when two spellings mean the same remote. */

import type { RepoAuth } from './repos.js';

export type Protocol = 'file' | 'ssh' | 'https' | 'http' | 'git';

export interface RemoteAddress {
  protocol: Protocol;
  /** True for a path, and for a network address of this machine: what goes there crosses no wire. */
  local: boolean;
  /** As given to git. */
  url: string;
  /** Equal for all spellings of one remote. For `file` the caller replaces the path by its real path first. */
  key: string;
}

export type RemoteCheck = { ok: true; address: RemoteAddress } | { ok: false; reason: string };

const DEFAULT_PORT: Record<Exclude<Protocol, 'file'>, string> = { https: '443', http: '80', ssh: '22', git: '9418' };
const USER = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,64}\])$/;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const refuse = (reason: string): RemoteCheck => ({ ok: false, reason });

/** Checks the address of a remote and brings it into one form. Pure: says nothing of whether it can be reached. */
export function checkRemote(text: string): RemoteCheck {
  if (text.length === 0 || text.length > 1024) return refuse('an address has 1 to 1024 characters');
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) return refuse('control and invisible characters are not allowed');
  if (text.startsWith('-')) return refuse('an address does not begin with "-"');
  if (/^[^/[]*::/.test(text)) return refuse('remote helpers (transport::address) are not allowed');
  const url = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/s.exec(text);
  if (url?.[1] !== undefined && url[2] !== undefined) return checkUrl(url[1].toLowerCase(), url[2], text);
  if (text.startsWith('/')) return checkPath(text);
  const scp = /^(?:([^@/:]*)@)?(\[[^\]/]*\]|[^:/@]+):(.+)$/s.exec(text);
  if (scp?.[2] !== undefined && scp[3] !== undefined) return network('ssh', scp[1], scp[2], undefined, scp[3], text);
  return refuse('an absolute path, file://, https://, http://, ssh://, git:// or user@host:path');
}

function checkUrl(scheme: string, rest: string, text: string): RemoteCheck {
  if (scheme === 'file') {
    const path = rest.startsWith('localhost/') ? rest.slice('localhost'.length) : rest;
    return path.startsWith('/') ? checkPath(path) : refuse('file:// takes an absolute path on this machine');
  }
  if (scheme !== 'https' && scheme !== 'http' && scheme !== 'ssh' && scheme !== 'git') {
    return refuse(`the scheme ${scheme}:// is not allowed`);
  }
  const slash = rest.indexOf('/');
  if (slash < 0) return refuse('the address names no repository');
  const authority = rest.slice(0, slash);
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : authority.slice(0, at);
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority.slice(at + 1));
  if (match?.[1] === undefined) return refuse('the host and port are not well formed');
  if (user !== undefined && scheme !== 'ssh') return refuse('credentials in the address are not allowed: use auth');
  return network(scheme, user, match[1], match[2], rest.slice(slash), text);
}

function network(
  protocol: Exclude<Protocol, 'file'>,
  user: string | undefined,
  host: string,
  port: string | undefined,
  path: string,
  url: string,
): RemoteCheck {
  if (user?.includes(':') === true) return refuse('credentials in the address are not allowed: use auth');
  if (user !== undefined && !USER.test(user)) return refuse('the user name is not well formed');
  if (!HOST.test(host)) return refuse('the host name is not well formed');
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65535)) return refuse('the port is not well formed');
  if (!/^[\p{L}\p{N}._~%+@=,/-][\p{L}\p{N}._~%+@=:,/-]*$/u.test(path))
    return refuse('the path has characters that are not allowed');
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.length === 0) return refuse('the address names no repository');
  if (parts.some((part) => part === '.' || part === '..' || part.startsWith('-'))) {
    return refuse('the path has a part that is not allowed');
  }
  const shownPort = port === undefined || Number(port) === Number(DEFAULT_PORT[protocol]) ? '' : `:${Number(port)}`;
  // A user other than `git` has another home, and so may mean another repository.
  const shownUser = user === undefined || user === 'git' ? '' : `${user}@`;
  const key = `${shownUser}${host.toLowerCase().replace(/\.$/, '')}${shownPort}/${withoutGit(parts.join('/'))}`;
  const local = LOOPBACK.test(host.toLowerCase());
  return { ok: true, address: { protocol, local, url, key } };
}

function checkPath(text: string): RemoteCheck {
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  if (parts.length === 0) return refuse('the root directory is not a repository');
  const path = `/${parts.join('/')}`;
  return { ok: true, address: { protocol: 'file', local: true, url: path, key: pathKey(path) } };
}

/** Key of a local remote by the real path of its repository. */
export const pathKey = (path: string): string => `path:${path.replace(/\/+$/, '').replace(/(?<=.)\/\.git$/, '')}`;

const withoutGit = (path: string): string => path.replace(/\.git$/, '');

/** Why a secret of this kind must not be sent to that address; null if it may. */
export function clearTextFault({ protocol, local }: RemoteAddress, kind: RepoAuth['kind']): string | null {
  if (protocol !== 'http' || local || (kind !== 'token' && kind !== 'helper')) return null;
  return 'the secret would cross the network in clear text: register the remote by https:// or ssh://';
}

/** Why a name cannot be the branch of a task; null if it can. `base`: the branch it must not be. */
export function branchFault(name: string, base: string | null = null): string | null {
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/.test(name)) {
    return '1 to 100 of A-Z a-z 0-9 . _ / -, the first a letter or a digit';
  }
  if (name.includes('..') || name.includes('//') || /[./]$/.test(name))
    return 'no "..", no "//", no "." or "/" at the end';
  if (name.split('/').some((part) => part.startsWith('.') || part.startsWith('-') || part.endsWith('.lock'))) {
    return 'no part of it begins with "." or "-" or ends with ".lock"';
  }
  if (/^(?:refs|heads|remotes|tags)\//i.test(name) || /^(?:refs|HEAD|FETCH_HEAD|ORIG_HEAD|MERGE_HEAD)$/i.test(name)) {
    return 'a plain branch name, not a ref';
  }
  if (/^signalbox\/(?:heads|check|tip)(?:\/|$)/i.test(name)) return 'signalbox/heads, /check and /tip are reserved';
  if (name === base) return 'the base branch itself cannot be worked on';
  return null;
}
