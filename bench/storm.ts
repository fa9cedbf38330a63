/** Who kills and who pushes in the torture. */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { entrypoint } from '../activities/entrypoint.js';
import type { DemoStack } from '../cli/demo/stack.js';
import { benchGit } from './baselines.js';

/** Among the arguments of the person's git, which is left alone; what serves it in the remote is not. */
const PERSON = 'torture.person';

interface StormOptions {
  dir: string;
  stack: DemoStack;
  env: Readonly<Record<string, string>>;
  random: () => number;
}

interface Process extends PromiseLike<unknown> {
  pid?: number | undefined;
  kill(signal: 'SIGTERM'): boolean;
}

/** Landings between two kills of workers, so that a slow machine gets somewhere too. */
const BETWEEN_WORKERS = 4;

export class Storm {
  readonly kills = { worker: 0, otherHost: 0, git: 0 };
  landed = 0;
  /** Nobody waits any more. */
  over = false;
  readonly #options: StormOptions;
  #other: Process | null = null;
  #workersUntil = 0;
  #stopping = false;

  constructor(options: StormOptions) {
    this.#options = options;
  }

  /** A second worker on the services of the stack; started again whenever it died. */
  async startOtherHost(): Promise<void> {
    const { dir, stack, env } = this.#options;
    const args = [entrypoint('cli/main'), 'worker', '--host-id', 'other', '--data-dir', path.join(dir, 'other')];
    const child = execa(process.execPath, args, {
      ...{ cwd: dir, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', buffer: false, reject: false },
      env: {
        ...{ DATABASE_URL: stack.database, TEMPORAL_ADDRESS: stack.temporal, SIGNALBOX_AGENT_SLOTS: '4' },
        ...{ SIGNALBOX_LOG_LEVEL: 'warn', ...env },
      },
    });
    this.#other = child;
    await once(child, 'spawn');
    void child.then(async () => {
      await sleep(500);
      if (!this.#stopping) await this.startOtherHost();
    });
  }

  /** Kills one of both workers, or mostly some git that works for us, in a gate or in the remote. */
  async strike(): Promise<void> {
    const chance = this.#options.random();
    if (chance < 0.2 && this.landed >= this.#workersUntil) {
      this.#workersUntil = this.landed + BETWEEN_WORKERS;
      if (chance < 0.1) this.#kill('worker', await this.#workerPid());
      else this.#kill('otherHost', this.#other?.pid);
      return;
    }
    const pids = await this.#gits();
    this.#kill('git', pids[Math.floor(this.#options.random() * pids.length)]);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#other?.kill('SIGTERM');
    await this.#other;
  }

  #kill(who: keyof Storm['kills'], pid: number | undefined): void {
    if (pid === undefined) return;
    try {
      process.kill(pid, 'SIGKILL');
      this.kills[who] += 1;
    } catch (err) {
      // It ended by itself between the look and the kill.
      if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err;
    }
  }

  async #workerPid(): Promise<number | undefined> {
    const file = await readFile(path.join(this.#options.dir, 'data', 'up.json'), 'utf8');
    return (JSON.parse(file) as { children: Record<string, { pid: number } | undefined> }).children['worker']?.pid;
  }

  /** Not those of agents and of the person. Git is quick: looks again and again until there is one. */
  async #gits(): Promise<number[]> {
    for (let look = 0; look < 200; look += 1) {
      const found = await gitsIn(this.#options.dir);
      if (found.length > 0) return found;
      await sleep(5);
    }
    return [];
  }
}

async function gitsIn(dir: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => ''); // gone
    if (!(await read('comm')).startsWith('git')) continue;
    const about = `${await read('cmdline')}\0${await read('environ')}`;
    if (!about.includes(dir) || about.includes(PERSON) || about.includes('SIGNALBOX_RUN=')) continue;
    found.push(Number(pid));
  }
  return found;
}

/** Somebody with a clone of their own, who pushes to base past the queue. */
export class Person {
  pushes = 0;
  readonly #clone: string;
  readonly #remote: string;
  readonly #dir: string;

  constructor(dir: string, remote: string) {
    this.#dir = dir;
    this.#remote = remote;
    this.#clone = path.join(dir, 'person');
  }

  async push(): Promise<void> {
    if (this.pushes === 0) await this.#git(this.#dir, 'clone', '-q', this.#remote, this.#clone);
    // Whoever is slower than the queue fetches again.
    for (let n = 0; n < 50; n += 1) {
      await this.#git(this.#clone, 'fetch', '-q', 'origin', 'main');
      await this.#git(this.#clone, 'checkout', '-q', '-B', 'main', 'FETCH_HEAD');
      await this.#git(this.#clone, 'commit', '-q', '--allow-empty', '-m', `Push ${this.pushes + 1} of a person`);
      const pushed = await this.#git(this.#clone, 'push', '-q', 'origin', 'main').then(
        () => true,
        () => false,
      );
      if (!pushed) continue;
      this.pushes += 1;
      return;
    }
  }

  #git(cwd: string, ...args: string[]): Promise<string> {
    return benchGit(cwd, '-c', `${PERSON}=1`, ...args);
  }
}
