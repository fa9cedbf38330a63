/**
 * Credentials of a remote, resolved at the moment of use. A secret travels in the environment of that one git process
 * and is answered through GIT_ASKPASS: never in arguments, settings, or a file that stays.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
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
      const secret = (await secretText(auth.ref, lookup)).trim();
      // Forges that look at the user name of a token take this one; the others ignore it.
      return {
        env: { GIT_ASKPASS: askpass, SIGNALBOX_GIT_USER: 'x-access-token', SIGNALBOX_GIT_SECRET: secret },
        config: [],
      };
    }
    case 'ssh-key': {
      const file = keyFile(auth.ref, lookup);
      return { env: { GIT_SSH_COMMAND: `${SSH} -o IdentitiesOnly=yes -i ${shellWord(file)}` }, config: [] };
    }
    case 'helper': {
      const { kind, name } = splitRef(auth.ref);
      const helper = kind === 'file' ? name : variable(name, lookup);
      return { env: {}, config: [`credential.helper=${helper}`] };
    }
  }
}

const SSH = 'ssh -o BatchMode=yes -o ConnectTimeout=20';

/** GIT_SSH_COMMAND is read by a shell. */
const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function splitRef(ref: string | null): { kind: 'env' | 'file'; name: string } {
  const match = /^(env|file):(.+)$/s.exec(ref ?? '');
  if (match?.[2] === undefined) throw new SignalboxError('unreachable-remote', 'auth.ref: env:NAME or file:PATH');
  return { kind: match[1] === 'env' ? 'env' : 'file', name: match[2] };
}

function variable(name: string, lookup: SecretLookup): string {
  const value = lookup(name);
  if (value !== undefined && value !== '') return value;
  throw new SignalboxError('unreachable-remote', `auth: the variable ${name} is not set on this host`);
}

async function secretText(ref: string | null, lookup: SecretLookup): Promise<string> {
  const { kind, name } = splitRef(ref);
  if (kind === 'env') return variable(name, lookup);
  try {
    return await readFile(name, 'utf8');
  } catch (err) {
    throw new SignalboxError('unreachable-remote', `auth: ${name} cannot be read`, {}, { cause: err });
  }
}

/** `file:PATH` is the key; `env:NAME` holds its path. */
function keyFile(ref: string | null, lookup: SecretLookup): string {
  const { kind, name } = splitRef(ref);
  return kind === 'file' ? name : variable(name, lookup);
}
