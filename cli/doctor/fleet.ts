/** What is registered: can the agents' commands be run here, and do the remotes take what landing needs. */
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { adoptRemote, gitHostFor } from '../../activities/git/index.js';
import { hostPaths } from '../../activities/paths.js';
import { instanceId } from '../../store/instance.js';
import { listProfiles } from '../../store/agent-profiles.js';
import { repoNotes } from '../../domain/repos.js';
import type { Pool } from '../../store/db.js';
import { listRepos } from '../../store/repos.js';
import type { Environment } from '../environment.js';
import { failed, guarded, note, ok, type Check } from './check.js';

export async function checkFleet(pool: Pool, environment: Environment, dataDir: string): Promise<Check[]> {
  return [...(await checkProfiles(pool, environment)), ...(await checkRemotes(pool, environment, dataDir))];
}

async function checkProfiles(pool: Pool, environment: Environment): Promise<Check[]> {
  const profiles = await listProfiles(pool);
  if (profiles.length === 0) return [note('agents', 'no profile yet: signalbox agent-profile set default -- CMD…')];
  return Promise.all(
    profiles.map(async ({ name, command }) => {
      const program = command[0] ?? '';
      const found = await findProgram(program, environment.variables['PATH'] ?? '');
      if (found !== null) return ok(`agent ${name}`, found);
      const mend = `install it, or: signalbox agent-profile set ${name} -- CMD…`;
      return failed(`agent ${name}`, `${program} cannot be run on this machine`, mend);
    }),
  );
}

async function findProgram(program: string, searchPath: string): Promise<string | null> {
  const candidates = program.includes('/')
    ? [program]
    : searchPath.split(path.delimiter).map((directory) => path.join(directory, program));
  for (const file of candidates) {
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return file;
  }
  return null;
}

/** By the same probe that registers a repository; it is safe to repeat. */
async function checkRemotes(pool: Pool, environment: Environment, dataDir: string): Promise<Check[]> {
  const repos = await listRepos(pool);
  if (repos.length === 0) return [note('repositories', 'none yet: signalbox repo add ID --remote URL --base main')];
  const instance = await instanceId(pool);
  const host = gitHostFor({ paths: hostPaths(dataDir), lookup: (name) => environment.variables[name] });
  const checks = await Promise.all(
    repos.map(async (repo) => {
      const { id, remote, base, config } = repo;
      return guarded(`repository ${id}`, `see that this machine may read and push to ${remote}`, async () => {
        const access = { remote, base, auth: config.auth, checkout: config.checkout };
        const { facts } = await adoptRemote(host, { ...access, instance, claim: repo.facts.claim ?? null });
        return [
          ok(`repository ${id}`, `${remote}, ${base}: readable and takes what landing needs`),
          // As it is now: the branch may have been checked out since it was registered.
          ...repoNotes({ ...repo, facts }).map((text) => note(`repository ${id}`, text)),
        ];
      });
    }),
  );
  return checks.flat();
}
