/**
 * `signalbox demo`: the main job on a small real repository. Starts the whole stack in a directory of its own, hands in
 * six tasks, shows them moving, and proves from the remote what was promised about the landings.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { entrypoint } from '../../activities/entrypoint.js';
import { SignalboxError } from '../../domain/errors.js';
import { TERMINAL_STATES } from '../../domain/tasks.js';
import { at, createClient, type Client } from '../client.js';
import { approve } from './approval.js';
import { prove, type LandingRow, type TaskRow } from './proofs.js';
import { renderReport, type DemoResult } from './report.js';
import { createSampleRepository } from './sample-repository.js';
import { startStack } from './stack.js';
import { DEMO_PIPELINE, demoTasks, describe } from './tasks.js';

const REPO = 'parcels';
const DEADLINE_MS = 300_000;
const POLL_MS = 200;

export interface DemoOptions {
  json: boolean;
  keep: boolean;
}

/** Returns false if any proof fails. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-demo-'));
  // The embedded Postgres may run as another user, who has to reach its data below here.
  await chmod(dir, 0o711);
  const { remote, first } = await createSampleRepository(dir);
  say(`Sample repository: ${remote}`);
  const stack = await startStack(path.join(dir, 'data'), options.json);
  try {
    say(`API ${stack.api}   Temporal Web UI ${stack.ui}\n`);
    const client = createClient(stack);
    const signal = path.join(dir, 'express-has-landed');
    await handIn(client, remote, signal);
    const tasks = await watch(client, signal, say);
    const queue = await client.get<{ landed: LandingRow[] }>(`${at('repos', REPO)}/merge-queue`);
    const landings = [...queue.landed].reverse();
    const proofs = await prove({ remote, first, tasks, landings });
    const ok = proofs.every((proof) => proof.ok);
    const result: DemoResult = { ok, tasks, landings, proofs, remote, ui: stack.ui };
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : await renderReport(result));
    if (options.keep) await keep(dir, stack.api, say);
    return ok;
  } finally {
    await stack.stop();
    if (!options.keep) await rm(dir, { recursive: true, force: true });
  }
}

async function handIn(client: Client, remote: string, signal: string): Promise<void> {
  const command = [process.execPath, entrypoint('cli/demo/scripted-agent')];
  await client.send('PUT', at('agent-profiles', 'default'), { adapter: 'command', command });
  await client.send('POST', at('repos'), {
    id: REPO,
    remote,
    base: 'main',
    workItemPrefix: 'PR',
    checks: [{ name: 'unit', kind: 'command', command: [process.execPath, '--test'], timeout: '1m' }],
    pipeline: DEMO_PIPELINE,
  });
  for (const task of demoTasks(signal)) {
    await client.send('POST', at('tasks'), {
      repo: REPO,
      title: task.title,
      description: describe(task),
      ...(task.pipeline === undefined ? {} : { pipeline: task.pipeline }),
    });
  }
}

/** Shows every change until all tasks have ended; answers the approval; returns the tasks in order. */
async function watch(client: Client, signal: string, say: (line: string) => void): Promise<TaskRow[]> {
  const deadline = Date.now() + DEADLINE_MS;
  const shown = new Map<string, string>();
  const asked = new Set<string>();
  for (;;) {
    const { items } = await client.get<{ items: TaskRow[] }>(at('tasks'), { repo: REPO, limit: 100 });
    const tasks = items.sort((a, b) => a.task.localeCompare(b.task));
    for (const task of tasks) {
      const line = progress(task);
      if (shown.get(task.task) !== line) say(line);
      shown.set(task.task, line);
      if (task.title === 'Carry express parcels' && task.landed) await writeFile(signal, '');
      if (task.waitingOn?.kind === 'approval' && !asked.has(task.task)) {
        asked.add(task.task);
        await approve(client, task, say);
      }
    }
    if (tasks.length > 0 && tasks.every((task) => TERMINAL_STATES.includes(task.state))) return tasks;
    if (Date.now() > deadline) {
      throw new SignalboxError(
        'unavailable',
        `not done after ${DEADLINE_MS / 1000} s:\n${[...shown.values()].join('\n')}`,
      );
    }
    await sleep(POLL_MS);
  }
}

function progress(task: TaskRow): string {
  const wait = task.waitingOn ? `${task.waitingOn.kind}: ${task.waitingOn.detail}` : '';
  const landed = task.state === 'done' && task.landed ? `landed as ${task.landed.commit.slice(0, 10)}` : wait;
  return `${task.task}  ${task.state.padEnd(8)} ${task.stage.padEnd(12)} ${landed}`;
}

async function keep(dir: string, api: string, say: (line: string) => void): Promise<void> {
  say(`Running on ${api} with its data in ${dir}; Ctrl-C ends it.`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}
