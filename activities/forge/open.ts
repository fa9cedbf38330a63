/** The forge of a repository, with its token read at the moment of use. */
import { SignalboxError } from '../../domain/errors.js';
import { forgeOf, type ForgeConfig } from '../../domain/forges.js';
import type { Repo } from '../../domain/repos.js';
import { readToken, type SecretLookup } from '../git/auth.js';
import type { Forge } from './forge.js';

export interface OpenForge {
  config: ForgeConfig;
  forge: Forge;
}

/** Throws `not-acceptable` where the repository has no forge, or no token for it. */
export async function openForge(lookup: SecretLookup, repo: Pick<Repo, 'remote' | 'config'>): Promise<OpenForge> {
  const config = forgeOf(repo);
  if (config === null) {
    throw refusal('forge', 'is needed: the address of the remote does not say which forge it is');
  }
  if (repo.config.auth.kind !== 'token') {
    throw refusal('auth.kind', `must be token, not ${repo.config.auth.kind}: the forge is asked with it`);
  }
  const token = await readToken(repo.config.auth, lookup);
  return { config, forge: await clientFor(config, token) };
}

/** Each client is loaded where it is needed. */
async function clientFor(config: ForgeConfig, token: string): Promise<Forge> {
  switch (config.kind) {
    case 'github':
      return (await import('./github.js')).githubForge(config, token);
    case 'gitea':
      return (await import('./gitea.js')).giteaForge(config, token);
    case 'gitlab':
      return (await import('./gitlab.js')).gitlabForge(config, token);
  }
}

const refusal = (field: string, message: string): SignalboxError =>
  new SignalboxError('not-acceptable', `${field} ${message}`, { faults: [{ field, message }] });
