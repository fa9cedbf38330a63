/** What a forge must allow before a repository counts on it: that it answers, knows the token, and lets it push base. */
import { SignalboxError } from '../../domain/errors.js';
import { needsForge, type Repo } from '../../domain/repos.js';
import type { SecretLookup } from '../git/auth.js';
import { refusedWith } from './calls.js';
import type { PushRight } from './forge.js';
import { openForge } from './open.js';

/** Asks nothing where no forge is configured or needed. Throws `not-acceptable` naming the field, and the rule. */
export async function examineForge(
  lookup: SecretLookup,
  repo: Pick<Repo, 'remote' | 'base' | 'config'>,
): Promise<void> {
  if (repo.config.forge == null && !needsForge(repo.config)) return;
  const { config, forge } = await openForge(lookup, repo);
  const { kind, project } = config;
  let right: PushRight;
  try {
    right = await forge.mayPush(repo.base);
  } catch (err) {
    if (err instanceof SignalboxError) throw refusal(fieldOf(err), err.message);
    throw err;
  }
  if (right.ok) return;
  throw refusal('auth.ref', `the token may not push ${repo.base} of ${project} on ${kind}: ${right.rule}`);
}

function fieldOf(err: SignalboxError): string {
  if (err.code === 'forge-infrastructure') return 'forge.api';
  const status = refusedWith(err);
  return status === 401 || status === 403 ? 'auth.ref' : 'forge.project';
}

const refusal = (field: string, message: string): SignalboxError =>
  new SignalboxError('not-acceptable', `${field}: ${message}`, { faults: [{ field, message }] });
