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
import { exitCodeOf, onStopSignal } from '../signals.js';
import { approve } from './approval.js';
import { prove, type LandingRow, type TaskRow } from './proofs.js';
import { renderReport, type DemoResult } from './report.js';
import { createSampleRepository } from './sample-repository.js';
import { startStack, type DemoStack } from './stack.js';
import { DEMO_PIPELINE, demoTasks, describe } from './tasks.js';

const REPO = 'parcels';
const DEADLINE_MS = 300_000;
const POLL_MS = 200;

export interface DemoOptions {
  json: boolean;
  keep: boolean;
}

/** Returns the exit code: 1 if any proof fails. However it ends, the stack is stopped and its directory removed. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const interrupted = onStopSignal(['SIGINT', 'SIGTERM', 'SIGHUP']);
  const cancel = new AbortController();
  const stopped = interrupted.then((signal) => {
    cancel.abort();
    return signal;
  });
  const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-demo-'));
  try {
    // The embedded Postgres may run as another user, who has to reach its data below here.
    await chmod(dir, 0o711);
    const { remote, first } = await createSampleRepository(dir);
    say(`Sample repository: ${remote}`);
    const start = startStack(path.join(dir, 'data'), { quiet: options.json, ownGroup: true, cancel: cancel.signal });
    const stack = await start.catch((err: unknown) => {
      if (cancel.signal.aborted) return null;
      throw err;
    });
    if (stack === null) return exitCodeOf(await stopped);
    try {
      const ended = await Promise.race([play(stack, { dir, remote, first }, options.json), stopped]);
      if (typeof ended === 'string') return exitCodeOf(ended);
      if (options.keep) {
        say(`Running on ${stack.api} with its data in ${dir}; Ctrl-C ends it and removes them.`);
        await stopped;
      }
      return ended ? 0 : 1;
    } finally {
      await stack.stop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Sample {
  dir: string;
  remote: string;
  /** The first commit of base. */
  first: string;
}

/** The tasks from handing in to the report; false if any proof fails. */
async function play(stack: DemoStack, { dir, remote, first }: Sample, json: boolean): Promise<boolean> {
  say(`API ${stack.api}   Temporal Web UI ${stack.ui}\n`);
  const client = createClient(stack);
  const signal = path.join(dir, 'express-has-landed');
  await handIn(client, remote, signal);
  const tasks = await watch(client, signal);
  const queue = await client.get<{ landed: LandingRow[] }>(`${at('repos', REPO)}/merge-queue`);
  const landings = [...queue.landed].reverse();
  const proofs = await prove({ remote, first, tasks, landings });
  const ok = proofs.every((proof) => proof.ok);
  const result: DemoResult = { ok, tasks, landings, proofs, remote, ui: stack.ui };
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : await renderReport(result));
  return ok;
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
async function watch(client: Client, signal: string): Promise<TaskRow[]> {
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
