/**
 * Directories that the embedded programs can use. Postgres refuses to run as root; then it runs as the user
 * `postgres`, who must be able to reach its binaries and its data: every directory above them needs x for others, and
 * a home of mode 700 (root's own, usually) is in the way.
 */
import { mkdir, realpath, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { SignalboxError } from '../../domain/errors.js';

/** The user that Postgres runs as; null = ourselves. */
export interface ServerUser {
  name: string;
  uid: number;
  gid: number;
}

const USER = 'postgres';

/** Who runs Postgres: ourselves, or, for root, the user `postgres`, made if there is none. */
export async function serverUser(log: (line: string) => void): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const found = await lookUp();
  if (found !== null) return found;
  log(`Postgres does not run as root: making the system user ${USER} for it`);
  const made = await execa(
    'useradd',
    ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', USER],
    { reject: false },
  );
  const user = await lookUp();
  if (user === null) {
    throw new SignalboxError(
      'start-failed',
      `Postgres does not run as root, and the user ${USER} could not be made (${made.stderr || made.message || 'useradd'}). ` +
        `Make it (useradd --system ${USER}), run signalbox as an ordinary user, or set DATABASE_URL.`,
    );
  }
  return user;
}

async function lookUp(): Promise<ServerUser | null> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => execa('id', [flag, USER], { reject: false })));
  if (uid?.exitCode !== 0 || gid?.exitCode !== 0) return null;
  return { name: USER, uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/**
 * The first of the candidates that exists or can be made, is ours alone to write, and can be reached by the user.
 * @param user who must get there; null = only we do
 */
export async function usableDirectory(candidates: readonly string[], user: ServerUser | null): Promise<string> {
  const reasons: string[] = [];
  for (const candidate of candidates) {
    try {
      await mkdir(candidate, { recursive: true, mode: 0o755 });
      const directory = await realpath(candidate);
      const fault = (await notOurs(directory)) ?? (user === null ? null : await unreachable(directory));
      if (fault === null) return directory;
      reasons.push(fault);
    } catch (err) {
      reasons.push((err as Error).message);
    }
  }
  throw new SignalboxError(
    'start-failed',
    `no usable directory${user ? ` for the user ${user.name}` : ''}: ${reasons.join('; ')}`,
  );
}

/** Places for the files of one data directory: below it, else (for a user who cannot get there) a public one. */
export function serverPlaces(dataDir: string, hash: string): string[] {
  return [
    dataDir,
    path.join('/var/lib/signalbox', hash),
    path.join(os.tmpdir(), `signalbox-${process.getuid?.() ?? 0}`, hash),
  ];
}

/** Places for programs: our cache, else a public one. */
export function programPlaces(cacheDir: string): string[] {
  return [cacheDir, '/var/cache/signalbox', path.join(os.tmpdir(), `signalbox-${process.getuid?.() ?? 0}`, 'cache')];
}

async function notOurs(directory: string): Promise<string | null> {
  const found = await stat(directory);
  if (found.uid !== process.getuid?.()) return `${directory} belongs to another user`;
  return (found.mode & 0o022) === 0 ? null : `${directory} can be written by others`;
}

/** Names the directory on the way that others may not pass through. */
async function unreachable(directory: string): Promise<string | null> {
  for (let at = directory; ; at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return `${at} cannot be passed by other users`;
    if (at === path.dirname(at)) return null;
  }
}
