/**
 * Many merges in one `git merge-tree --stdin`. What it writes goes to an object directory that is thrown away, with the
 * gate's objects behind it, so it only reads the gate and needs no lock.
 *
 * Of each pair it prints `<1 clean, 0 conflict>`, the tree, the conflicted paths and an empty field, each ended by NUL. A
 * pair that it cannot merge ends it, after all answers before (git 2.39 to 2.47): that pair has no answer, and is no
 * conflict.
 */
import { access, constants, mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Pair, Prediction } from '../../domain/conflicts/types.js';
import { SignalboxError } from '../../domain/errors.js';
import { lastWords } from './command.js';
import { attributesPath } from './attributes.js';
import type { GitHost } from './host.js';

/** Paths that are kept of each conflict. */
const MAX_PATHS = 50;
/** Pairs without a common history that one call steps over. */
const MAX_UNRELATED = 50;
/** Pairs of one call: each leaves trees, and files with markers, until the scratch directory is emptied after it. */
const AT_ONCE = 250;
const MEMORY = '/dev/shm';
/** Bytes that must be free there; containers often have 64 MiB. */
const ROOM = 1024 ** 3;
const PREFIX = 'signalbox-predict-';
/** Much longer than git is given. */
const LEFTOVER_MS = 3_600_000;

export interface PairsToMerge {
  /** The gate: all commits of the pairs are in it. */
  gateDir: string;
  pairs: readonly Pair[];
  /** From `baseAttributes`. */
  attributes: string | null;
}

/** Merges each pair, in the order given. Throws `git-infrastructure` where git fails for another reason than a pair. */
export async function mergePairs(host: GitHost, all: PairsToMerge): Promise<Prediction[]> {
  const found: Prediction[] = [];
  for (let i = 0; i < all.pairs.length; i += AT_ONCE) {
    const pairs = all.pairs.slice(i, i + AT_ONCE);
    found.push(...(await withScratch(host, (scratch) => mergeSome(host, scratch, { ...all, pairs }))));
  }
  return found;
}

async function mergeSome(host: GitHost, scratch: string, some: PairsToMerge): Promise<Prediction[]> {
  const { gateDir, pairs, attributes } = some;
  const found: Prediction[] = [];
  for (let unrelated = 0; found.length < pairs.length; unrelated += 1) {
    const rest = pairs.slice(found.length);
    const { stdout, stderr } = await host.git.run(MERGE_TREE, {
      gitDir: gateDir,
      config: [
        // Nothing of it is kept.
        ...['core.fsync=none', 'core.looseCompression=0'],
        ...(attributes === null ? [] : [`core.attributesFile=${attributesPath(gateDir, attributes)}`]),
      ],
      env: { GIT_OBJECT_DIRECTORY: scratch, GIT_ALTERNATE_OBJECT_DIRECTORIES: path.join(gateDir, 'objects') },
      input: rest.map(({ a, b }) => `${a} ${b}\n`).join(''),
      answers: [0, 128],
    });
    found.push(...parseMerges(stdout, rest));
    const failed = pairs[found.length];
    if (failed === undefined) break;
    if (!/unrelated histories/.test(stderr) || unrelated >= MAX_UNRELATED) {
      const what = `git merge-tree of ${failed.a} and ${failed.b}`;
      throw new SignalboxError('git-infrastructure', `${what}: ${lastWords(stderr)}`);
    }
    found.push({ ...failed, kind: 'unrelated', paths: [] });
  }
  return found;
}

const MERGE_TREE = ['merge-tree', '--write-tree', '--stdin', '-z', '--name-only', '--no-messages'];

/** The answers that are there in full. Throws `git-infrastructure` for output of another form. */
export function parseMerges(stdout: string, pairs: readonly Pair[]): Prediction[] {
  const fields = stdout.split('\0');
  const found: Prediction[] = [];
  for (let at = 0; at < fields.length - 1;) {
    const [pair, status] = [pairs[found.length], fields[at]];
    const end = fields.indexOf('', at + 2);
    // The last field is what follows the last NUL: an answer that ends there was cut off.
    if (end < 0 || end === fields.length - 1) break;
    const paths = fields.slice(at + 2, end);
    const clean = status === '1' && paths.length === 0;
    if (pair === undefined || (!clean && status !== '0')) {
      throw new SignalboxError('git-infrastructure', `git merge-tree answered ${JSON.stringify(stdout.slice(0, 200))}`);
    }
    const kind = clean ? 'clean' : 'conflict';
    found.push({ ...pair, kind, paths: [...new Set(paths)].slice(0, MAX_PATHS) });
    at = end + 1;
  }
  return found;
}

/** An empty object directory that only we can read: in memory where there is room, since each merge makes files. */
export async function withScratch<T>(host: GitHost, use: (scratch: string) => Promise<T>): Promise<T> {
  const free = await statfs(MEMORY).then(
    async ({ bavail, bsize }) => (await access(MEMORY, constants.W_OK), bavail * bsize),
    () => 0, // no such place on this system
  );
  const top = free >= ROOM ? MEMORY : host.privateDir;
  await removeLeftovers(top);
  const scratch = await mkdtemp(path.join(top, PREFIX));
  try {
    return await use(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Of processes that were killed, ours alone. */
async function removeLeftovers(top: string): Promise<void> {
  for (const name of (await readdir(top)).filter((found) => found.startsWith(PREFIX))) {
    const found = await stat(path.join(top, name)).catch(() => null); // another one was faster
    if (found === null || found.uid !== process.getuid?.() || Date.now() - found.mtimeMs < LEFTOVER_MS) continue;
    await rm(path.join(top, name), { recursive: true, force: true });
  }
}
