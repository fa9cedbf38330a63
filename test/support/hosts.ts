/** Worker processes of several hosts on one database and one Temporal server, with the API beside them. */
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { killTree } from '../../activities/agents/processes.js';
import { entrypoint } from '../../activities/entrypoint.js';
import { createSampleRepository } from '../../cli/demo/sample-repository.js';
import type { Script } from '../../cli/demo/scripted-agent.js';
import type { LandingRow, TaskRow } from '../../cli/demo/proofs.js';
import { liveHosts } from '../../store/hosts.js';
import { startApi, type Reply, type TestApi } from './api.js';
import { eventually } from './net.js';

/** Short, so that a dead host is noticed and its work taken over within seconds. */
const TIMES = {
  SIGNALBOX_AGENT_STALE: '1500ms',
  SIGNALBOX_MERGE_LEASE: '1s',
  SIGNALBOX_BACKOFF_BASE: '200ms',
  SIGNALBOX_BACKOFF_MAX: '500ms',
};

interface HostProcess {
  pid?: number;
  kill(signal: 'SIGKILL' | 'SIGTERM'): boolean;
}

export class Hosts {
  readonly api: TestApi;
  /** Id of the one repository; workflow ids are shared with other test files. */
  readonly repo: string;
  readonly dir: string;
  remote = '';
  #processes = new Map<string, HostProcess & PromiseLike<unknown>>();

  private constructor(api: TestApi, dir: string) {
    this.api = api;
    this.dir = dir;
    this.repo = `hosts-${api.temporal.queuePrefix}`;
  }

  /** While this file is there, checks do not end. */
  get hold(): string {
    return path.join(this.dir, 'hold');
  }

  /** @param uid owner of the remote and of what hosts write, where not our own */
  static async create(uid: number | null = null): Promise<Hosts> {
    const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-hosts-'));
    await chmod(dir, 0o755);
    const hosts = new Hosts(await startApi(TIMES), dir);
    await hosts.addRepository(uid);
    return hosts;
  }

  private async addRepository(uid: number | null): Promise<void> {
    const sample = await createSampleRepository(await mkdtemp(path.join(this.dir, 'sample-')));
    this.remote = sample.remote;
    const command = [process.execPath, entrypoint('cli/demo/scripted-agent')];
    await this.send('PUT', '/api/agent-profiles/default', { adapter: 'command', command });
    const check = ['sh', '-c', `while test -e ${this.hold}; do sleep 0.1; done`];
    await this.send('POST', '/api/repos', {
      ...{ id: this.repo, remote: sample.remote, base: 'main' },
      checks: [{ name: 'unit', kind: 'command', command: check, timeout: '1m' }],
      pipeline: {
        stages: [
          { name: 'work', kind: 'agent', agent: 'worker' },
          { name: 'merge', kind: 'merge' },
        ],
      },
    });
    if (uid !== null) await execa('chown', ['-R', `${uid}:${uid}`, this.dir]);
  }

  dataDir(host: string): string {
    return path.join(this.dir, `data-${host}`);
  }

  /** Starts the worker of a host and waits until it is live. */
  async start(host: string, env: Record<string, string> = {}, uid: number | null = null): Promise<void> {
    const child = execa(
      process.execPath,
      [entrypoint('cli/main'), 'worker', '--host-id', host, '--data-dir', this.dataDir(host)],
      {
        ...(uid === null ? {} : { uid, gid: uid }),
        ...{ stdin: 'ignore', reject: false, buffer: false, cwd: this.dir, extendEnv: false },
        stdout: { file: path.join(this.dir, `${host}.log`), append: true },
        stderr: { file: path.join(this.dir, `${host}.log`), append: true },
        env: {
          ...{ PATH: process.env.PATH ?? '', HOME: this.dir, LANG: 'C.UTF-8' },
          ...{ DATABASE_URL: this.api.database.url, TEMPORAL_ADDRESS: this.api.temporal.address },
          ...{ SIGNALBOX_QUEUE_PREFIX: this.api.temporal.queuePrefix, SIGNALBOX_AGENT_SLOTS: '4' },
          ...{ SIGNALBOX_LOG_LEVEL: 'warn', ...TIMES, ...env },
        },
      },
    );
    this.#processes.set(host, child);
    await this.untilLive(host, true, child.pid ?? 0);
  }

  async untilLive(host: string, live: boolean, pid = 0): Promise<void> {
    await eventually(
      async () => {
        const found = (await liveHosts(this.api.database.pool, 1500)).find((h) => h.id === host);
        return (found !== undefined && (pid === 0 || found.pid === pid)) === live ? true : null;
      },
      { timeoutMs: 30_000, what: `host ${host} ${live ? 'live' : 'gone'}` },
    );
  }

  /** SIGKILL of the worker alone: what runs under its supervisors goes on. */
  async kill(host: string): Promise<void> {
    const child = this.#processes.get(host);
    this.#processes.delete(host);
    child?.kill('SIGKILL');
    await child;
  }

  async send<T = unknown>(method: string, url: string, body?: unknown): Promise<T> {
    const reply: Reply = await this.api.call(method, url, body);
    if (reply.status >= 300) throw new Error(`${method} ${url}: ${reply.status} ${reply.text}`);
    return reply.json as T;
  }

  async submit(title: string, script: Script): Promise<TaskRow> {
    const description = `Do it.\n\n\`\`\`agent-script\n${JSON.stringify(script)}\n\`\`\`\n`;
    return this.send('POST', '/api/tasks', { repo: this.repo, title, description });
  }

  task(name: string): Promise<TaskRow> {
    return this.send('GET', `/api/tasks/${name}`);
  }

  async untilTask(name: string, test: (task: TaskRow) => boolean, timeoutMs = 30_000): Promise<TaskRow> {
    return eventually(
      async () => {
        const task = await this.task(name);
        return test(task) ? task : null;
      },
      { timeoutMs, what: `${name} as wanted` },
    );
  }

  async landings(): Promise<LandingRow[]> {
    return (await this.send<{ landed: LandingRow[] }>('GET', `/api/repos/${this.repo}/merge-queue`)).landed;
  }

  /** The runs and checks in the data directory of a host. */
  async runsOn(host: string): Promise<string[]> {
    return readdir(path.join(this.dataDir(host), 'runs')).catch(() => []);
  }

  log(host: string): Promise<string> {
    return readFile(path.join(this.dir, `${host}.log`), 'utf8');
  }

  async end(): Promise<void> {
    for (const host of [...this.#processes.keys()]) await this.kill(host);
    for (const name of await readdir(this.dir)) {
      if (!name.startsWith('data-')) continue;
      const runs = path.join(this.dir, name, 'runs');
      for (const run of await readdir(runs).catch(() => [])) await killTree(path.join(runs, run));
    }
    await this.api.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}
