/**
 * What `setup` made, kept by the content of its key files: `<cacheDir>/<hash>/<path>`. Saved and restored inside the
 * run. The key names content, not trust: whoever can change what setup does without changing a key file can fill the
 * cache, so key files must be all that setup depends on. Node built-ins only.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errno, readPlain, type Plain } from './plain-file.js';
import type { SupervisedSetup } from './records.js';

/** A key file is a list of versions; what is larger, or no plain file, is no key. */
const KEY_FILE_LIMIT = 64 * 1024 * 1024;

/** Directory of the cache for the key files as they are now; null when nothing can be cached. */
export function cacheEntry(setup: SupervisedSetup, cwd: string): string | null {
  if (setup.cache.length === 0 || setup.cacheKey.length === 0) return null;
  const hash = createHash('sha256').update(JSON.stringify([setup.command, setup.cache]));
  for (const file of setup.cacheKey) {
    const place = within(cwd, file);
    const found: Plain<Buffer> = place === null ? { kind: 'absent' } : readPlain(place, KEY_FILE_LIMIT);
    if (found.kind === 'refused') return null;
    const content = found.kind === 'absent' ? null : createHash('sha256').update(found.value).digest('hex');
    hash.update(JSON.stringify([file, content]));
  }
  return path.join(setup.cacheDir, hash.digest('hex').slice(0, 32));
}

/** True when all of the cached paths were restored. */
export function restore(entry: string, setup: SupervisedSetup, cwd: string): boolean {
  if (!existsSync(entry)) return false;
  return setup.cache.every((relative, i) => copy(path.join(entry, String(i)), within(cwd, relative)));
}

/** Saves what setup made, whole or not at all; a cache that is there already stays. */
export function save(entry: string, setup: SupervisedSetup, cwd: string): void {
  const temporary = `${entry}.${randomBytes(6).toString('hex')}.tmp`;
  mkdirSync(temporary, { recursive: true });
  const saved = setup.cache.every((relative, i) => copy(within(cwd, relative), path.join(temporary, String(i))));
  try {
    if (saved && !existsSync(entry)) renameSync(temporary, entry);
  } catch (err) {
    // Another run saved the same content first.
    if (!['EEXIST', 'ENOTEMPTY'].includes(errno(err) ?? '')) throw err;
  }
  rmSync(temporary, { recursive: true, force: true });
}

function copy(from: string | null, to: string | null): boolean {
  if (from === null || to === null || !existsSync(from)) return false;
  rmSync(to, { recursive: true, force: true });
  mkdirSync(path.dirname(to), { recursive: true });
  return spawnSync('cp', ['-a', '--reflink=auto', '--', from, to], { stdio: 'ignore' }).status === 0;
}

/** Absolute path of `relative` below `cwd`; null when it, or a link on the way, leaves. */
export function within(cwd: string, relative: string): string | null {
  const file = path.resolve(cwd, relative);
  const root = realpathSync(cwd);
  if (file === cwd || !file.startsWith(cwd + path.sep)) return null;
  let parent = path.dirname(file);
  while (!existsSync(parent)) parent = path.dirname(parent);
  const real = realpathSync(parent);
  return real === root || real.startsWith(root + path.sep) ? file : null;
}
