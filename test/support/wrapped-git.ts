/** Stands between our code and git: a script in its PATH that can count, pause or kill one git process of a call. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** Everything that changes a file, and what opens and closes it. */
const CALLS = [
  ...[
    'openat',
    'creat',
    'write',
    'pwrite64',
    'rename',
    'renameat',
    'renameat2',
    'unlink',
    'unlinkat',
    'link',
    'linkat',
  ],
  ...['symlink', 'mkdir', 'mkdirat', 'rmdir', 'fsync', 'fdatasync', 'close', 'ftruncate', 'chmod'],
].join(',');

/** One system call of one process. */
export interface Point {
  /** Subcommand and turn of the git process: `receive-pack.1`. */
  process: string;
  /** Its place among the calls of the process, from 1 on; with `only`, among those of that name. */
  call: number;
  only?: string;
  /** As strace writes it. */
  text: string;
}

/** `one`: the process alone dies, and whoever waits for it is told. `all`: with everything of its process group. */
export type Death = 'one' | 'all';

/** Why no system call can be counted or hit here, or null. */
export function cannotTrace(): string | null {
  try {
    execFileSync('strace', ['-qq', '-e', 'trace=none', 'true'], { stdio: 'ignore' });
    return null;
  } catch (err) {
    return `strace is not here or may not trace: ${(err as Error).message}`;
  }
}

export class WrappedGit {
  readonly #bin: string;

  /** @param root directory of the test */
  constructor(root: string) {
    this.#bin = path.join(root, 'wrapped');
    const core = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim();
    mkdirSync(path.join(this.#bin, 'core'), { recursive: true });
    // What git starts by itself is found here first.
    for (const name of readdirSync(core)) {
      if (name !== 'git') symlinkSync(path.join(core, name), path.join(this.#bin, 'core', name));
    }
    const wrapper = fileURLToPath(new URL('./git-wrapper.sh', import.meta.url));
    for (const place of ['git', 'core/git']) copyFileSync(wrapper, path.join(this.#bin, place));
    this.#say('real', execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim());
    this.off();
  }

  /** For the host that is to use it. */
  get path(): string {
    return `${this.#bin}:${process.env['PATH'] ?? ''}`;
  }

  /** From now on git is git. */
  off(): void {
    this.#say('mode', 'off');
  }

  /** Notes which processes are started, until `off`. */
  watch(): void {
    this.#arm('watch');
  }

  /** Which were, while something was armed. */
  processes(): string[] {
    return readdirSync(path.join(this.#bin, 'seen')).sort();
  }

  /** Counts until `off`. */
  count(): void {
    this.#say('calls', CALLS);
    this.#arm('count');
  }

  /** What was counted. */
  points(): Point[] {
    return this.processes().flatMap((name) => {
      const lines = readFileSync(path.join(this.#bin, 'seen', name, 'calls'), 'utf8').split('\n');
      const calls = lines.filter((line) => /^\w+\(/.test(line));
      return calls.map((text, i) => ({ process: name, call: i + 1, text }));
    });
  }

  /** Kills at `point`, until `off`. */
  killAt(point: Point, death: Death): void {
    rmSync(path.join(this.#bin, 'fired'), { force: true });
    this.#say('target', point.process);
    this.#say('when', String(point.call));
    this.#say('calls', point.only ?? CALLS);
    this.#arm(death);
  }

  /** Whether the process got that far: a run may differ from the counted one by a few calls. */
  killed(): boolean {
    const file = path.join(this.#bin, 'fired');
    return existsSync(file) && readFileSync(file, 'utf8').includes('killed by SIGKILL');
  }

  /** Stops that process where it begins, as a machine does that sleeps. */
  pauseAt(process: string): void {
    rmSync(path.join(this.#bin, 'paused'), { force: true });
    this.#say('target', process);
    this.#arm('pause');
  }

  /** Waits until it stands; gives what lets it go on. */
  async paused(): Promise<() => void> {
    const file = path.join(this.#bin, 'paused');
    await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(true);
    const pid = Number(readFileSync(file, 'utf8'));
    const state = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? '';
    await expect.poll(state, { timeout: 20_000 }).toBe('T');
    this.off();
    return () => void process.kill(pid, 'SIGCONT');
  }

  #arm(mode: 'watch' | 'count' | 'pause' | Death): void {
    rmSync(path.join(this.#bin, 'seen'), { recursive: true, force: true });
    mkdirSync(path.join(this.#bin, 'seen'));
    this.#say('mode', mode);
  }

  #say(name: string, text: string): void {
    writeFileSync(path.join(this.#bin, name), `${text}\n`);
  }
}
