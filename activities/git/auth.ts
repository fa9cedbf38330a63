/**
 * Credentials of a remote, resolved at the moment of use. A secret travels in the environment of that one git process
 * and is answered through GIT_ASKPASS: never in arguments, settings, or a file that stays.
 */
import { randomUUID } from 'node:crypto';
import { access, constants, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../../domain/errors.js';
import type { RepoAuth } from '../../domain/repos.js';

/** Looks up a variable of the host's environment. */
export type SecretLookup = (name: string) => string | undefined;

export interface Credentials {
  env: Record<string, string>;
  config: string[];
}

const ASKPASS = `#!/bin/sh
case "$1" in
  [Uu]sername*) printf '%s\\n' "$SIGNALBOX_GIT_USER" ;;
  *) printf '%s\\n' "$SIGNALBOX_GIT_SECRET" ;;
esac
`;

/** `privateDir`: a directory only we use. Throws `unreachable-remote` where the reference leads nowhere. */
export async function resolveAuth(auth: RepoAuth, lookup: SecretLookup, privateDir: string): Promise<Credentials> {
  switch (auth.kind) {
    case 'none':
      return { env: { GIT_SSH_COMMAND: SSH }, config: [] };
    case 'token': {
      const askpass = path.join(privateDir, 'askpass.sh');
      // Whole or not at all: another git may be running it now.
      const fresh = `${askpass}.${randomUUID()}`;
      await writeFile(fresh, ASKPASS, { mode: 0o700 });
      await rename(fresh, askpass);
      const secret = await readToken(auth, lookup);
      // Forges that look at the user name of a token take this one; the others ignore it.
      return {
        env: { GIT_ASKPASS: askpass, SIGNALBOX_GIT_USER: 'x-access-token', SIGNALBOX_GIT_SECRET: secret },
        config: [],
      };
    }
    case 'ssh-key': {
      const file = await keyFile(auth.ref, lookup);
      return { env: { GIT_SSH_COMMAND: `${SSH} -o IdentitiesOnly=yes -i ${shellWord(file)}` }, config: [] };
    }
    case 'helper': {
      const { kind, name } = splitRef(auth.ref);
      const helper = kind === 'file' ? name : variable(name, lookup);
      return { env: {}, config: [`credential.helper=${helper}`] };
    }
  }
}

/** The secret of `kind: token`, for calls to its forge. Throws `unreachable-remote` where the reference leads nowhere. */
export const readToken = async (auth: RepoAuth, lookup: SecretLookup): Promise<string> =>
  (await secretText(auth.ref, lookup)).trim();

const SSH = 'ssh -o BatchMode=yes -o ConnectTimeout=20';

/** One word for a shell: GIT_SSH_COMMAND is read by one. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function splitRef(ref: string | null): { kind: 'env' | 'file'; name: string } {
  const match = /^(env|file):(.+)$/s.exec(ref ?? '');
  if (match?.[2] === undefined) throw unusable('must be env:NAME or file:PATH');
  return { kind: match[1] === 'env' ? 'env' : 'file', name: match[2] };
}

function variable(name: string, lookup: SecretLookup): string {
  const value = lookup(name);
  if (value !== undefined && value !== '') return value;
  throw unusable(`the variable ${name} is not set on this host`);
}

async function secretText(ref: string | null, lookup: SecretLookup): Promise<string> {
  const { kind, name } = splitRef(ref);
  if (kind === 'env') return variable(name, lookup);
  try {
    return await readFile(name, 'utf8');
  } catch (err) {
    throw unusable(`${name} cannot be read`, err);
  }
}

/** `file:PATH` is the key; `env:NAME` holds its path. Without a key that it can read, ssh would take another one. */
async function keyFile(ref: string | null, lookup: SecretLookup): Promise<string> {
  const { kind, name } = splitRef(ref);
  const file = kind === 'file' ? name : variable(name, lookup);
  try {
    await access(file, constants.R_OK);
    return file;
  } catch (err) {
    throw unusable(`${file} cannot be read`, err);
  }
}

const unusable = (reason: string, cause?: unknown): SignalboxError =>
  new SignalboxError('unreachable-remote', `auth.ref: ${reason}`, faultIn('auth.ref', reason), { cause });

const faultIn = (field: string, message: string): { faults: { field: string; message: string }[] } => ({
  faults: [{ field, message }],
});

const REFUSED = /Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|Permission denied/i;
const UNKNOWN_HOST = /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i;

/** What git's words say about the credentials, naming the field to change; null where they are about something else. */
export function authFault(auth: RepoAuth, words: string): SignalboxError | null {
  if (UNKNOWN_HOST.test(words)) {
    const reason = `the host key is not the one known here: as the user of the worker, ssh-keyscan HOST >> ~/.ssh/known_hosts, and compare it (${words})`;
    return new SignalboxError('unreachable-remote', `remote: ${reason}`, faultIn('remote', reason));
  }
  if (!REFUSED.test(words)) return null;
  const field = auth.kind === 'none' ? 'auth.kind' : 'auth.ref';
  const how = auth.kind === 'none' ? 'the remote asks for credentials' : `the remote does not take this ${auth.kind}`;
  return new SignalboxError('unreachable-remote', `${field}: ${how} (${words})`, faultIn(field, `${how} (${words})`));
}
