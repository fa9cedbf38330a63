/** A whole `signalbox up` as a process of its own, on a directory of its own, to be used and killed by tests. */
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { entrypoint } from '../../activities/entrypoint.js';
import { at, createClient, type Client } from '../../cli/client.js';
import { createSampleRepository } from '../../cli/demo/sample-repository.js';
import type { Script } from '../../cli/demo/scripted-agent.js';
import type { TaskRow } from '../../cli/demo/proofs.js';
import { findTemporalBinary } from '../../cli/embedded/temporal-binary.js';
import { readEnvironment } from '../../cli/environment.js';

export interface Ready {
  api: string;
  token: string;
  temporal: string;
  ui: string;
  database: string;
  dataDir: string;
}

interface UpProcess extends PromiseLike<{ exitCode?: number }> {
  pid?: number;
  kill(signal: 'SIGKILL' | 'SIGTERM'): boolean;
}

export interface Child {
  pid: number;
}

export class Instance {
  readonly dir: string;
  readonly env: Record<string, string>;
  ready!: Ready;
  client!: Client;
  #process: UpProcess | null = null;

  private constructor(dir: string, env: Record<string, string>) {
    this.dir = dir;
    this.env = env;
  }

  static async create(env: Record<string, string> = {}): Promise<Instance> {
    const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-test-up-'));
    await chmod(dir, 0o711);
    return new Instance(dir, { SIGNALBOX_LOG_LEVEL: 'warn', SIGNALBOX_AGENT_SLOTS: '4', ...env });
  }

  get dataDir(): string {
    return path.join(this.dir, 'data');
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** @param flags more of `signalbox up` */
  async start(...flags: string[]): Promise<void> {
    const ports = ['--port', '0', '--temporal-port', '0', '--ui-port', '0', ...flags];
    const child = execa(
      process.execPath,
      [entrypoint('cli/main'), 'up', '--json', '--data-dir', this.dataDir, ...ports],
      {
        env: this.env,
        stdin: 'ignore',
        stderr: { file: path.join(this.dir, 'up.log'), append: true },
        reject: false,
        buffer: false,
      },
    );
    this.#process = child;
    const line = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), child.then(() => null)]);
    if (line === null) throw new Error(`up did not start: ${await readFile(path.join(this.dir, 'up.log'), 'utf8')}`);
    this.ready = JSON.parse(String(line[0])) as Ready;
    this.client = createClient(this.ready);
  }

  /** Pids of the running parts, by name (`worker`, `api`, `postgres`, `temporal`). */
  async children(): Promise<Record<string, Child>> {
    const up = JSON.parse(await readFile(path.join(this.dataDir, 'up.json'), 'utf8')) as {
      children: Record<string, Child>;
    };
    return up.children;
  }

  /** SIGKILL of `up` itself; its children stay behind as they would. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process;
  }

  /** SIGTERM, and what it exits with. */
  async stop(): Promise<number | undefined> {
    this.#process?.kill('SIGTERM');
    return (await this.#process)?.exitCode;
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** A profile `default` that runs scripts, and repository `web` on a fresh sample remote; returns the remote. */
  async addSampleRepository(
    pipeline: object | null,
    name = 'web',
    more: object = {},
  ): Promise<{ remote: string; first: string }> {
    const sample = await createSampleRepository(await mkdtemp(path.join(this.dir, 'sample-')));
    const command = [process.execPath, entrypoint('cli/demo/scripted-agent')];
    await this.client.send('PUT', at('agent-profiles', 'default'), { adapter: 'command', command });
    const checks = [{ name: 'unit', kind: 'command', command: [process.execPath, '--test'], timeout: '1m' }];
    const repo = { id: name, remote: sample.remote, base: 'main', checks, pipeline: pipeline ?? undefined, ...more };
    await this.client.send('POST', at('repos'), repo);
    return sample;
  }

  async submit(title: string, script: Script, more: object = {}): Promise<TaskRow> {
    const description = `Do it.\n\n\`\`\`agent-script\n${JSON.stringify(script)}\n\`\`\`\n`;
    return this.client.send('POST', at('tasks'), { repo: 'web', title, description, ...more });
  }

  async task(name: string): Promise<TaskRow> {
    return this.client.get(at('tasks', ...name.split('/')));
  }

  /** Polls until `test` holds; errors of a stack that is being killed are waited out. */
  async until<T>(what: string, get: () => Promise<T>, test: (value: T) => boolean, timeoutMs = 60_000): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    let last: unknown = null;
    while (Date.now() < deadline) {
      try {
        const value = await get();
        if (test(value)) return value;
        last = value;
      } catch (err) {
        last = err;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(
      `not within ${timeoutMs} ms: ${what}; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
    );
  }

  /** Runs `signalbox …` against this instance, as a person in a terminal that nobody can be asked on. */
  async cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const env = { SIGNALBOX_DATA_DIR: this.dataDir };
    const options = { env, reject: false, stdin: 'ignore' } as const;
    const { exitCode, stdout, stderr } = await execa(process.execPath, [entrypoint('cli/main'), ...args], options);
    return { code: exitCode ?? -1, out: stdout, err: stderr };
  }

  /** Runs the real `temporal …` against the server of this instance; gives its output as JSON. */
  async temporalCli(...args: string[]): Promise<unknown> {
    const { cacheDir, variables } = readEnvironment();
    const { file } = await findTemporalBinary({ cacheDir, variables, log: () => undefined });
    const { stdout } = await execa(file, [...args, '--address', this.ready.temporal, '--output', 'json']);
    return JSON.parse(stdout);
  }

  async untilTask(name: string, test: (task: TaskRow) => boolean, timeoutMs?: number): Promise<TaskRow> {
    return this.until(name, () => this.task(name), test, timeoutMs);
  }
}
