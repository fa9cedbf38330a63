/**
 * Tasks under kills: a few tasks (some conflicting) are handed in, and while they run, parts of the stack and agents
 * are SIGKILLed at seeded random moments. Then the kills stop, and everything must converge.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ScriptStep } from '../../cli/demo/scripted-agent.js';
import { DEMO_PIPELINE } from '../../cli/demo/tasks.js';
import type { TaskRow } from '../../cli/demo/proofs.js';
import { mulberry } from '../../bench/random.js';
import { Instance } from './instance.js';
import { expectNothingLeft, expectProvenLandings, runProcesses } from './invariants.js';

export const VICTIMS = ['worker', 'api', 'temporal', 'postgres', 'agent', 'up'] as const;
export type Victim = (typeof VICTIMS)[number];

export interface StormOptions {
  seed: number;
  tasks: number;
  /** In this order; each after a random pause. */
  victims: Victim[];
  pauseMs: number;
}

/** Runs the storm and checks everything; throws with the seed in the message. */
export async function storm(options: StormOptions): Promise<void> {
  const random = mulberry(options.seed);
  const instance = await Instance.create({ SIGNALBOX_BACKOFF_BASE: '200ms', SIGNALBOX_AGENT_STALE: '5s' });
  try {
    await instance.start();
    const sample = await instance.addSampleRepository(DEMO_PIPELINE);
    const starts = path.join(instance.dir, 'starts.log');
    const names: string[] = [];
    for (let n = 0; n < options.tasks; n++) names.push((await instance.submit(`Parcel ${n}`, script(n, starts))).task);
    for (const victim of options.victims) {
      await sleep(random() * options.pauseMs);
      await kill(instance, victim, random);
    }
    const tasks = await instance.until(
      `all tasks done (seed ${options.seed})`,
      () => Promise.all(names.map((name) => instance.task(name))),
      (all) => all.every((task: TaskRow) => task.state === 'done'),
      120_000,
    );
    await expectProvenLandings(instance, sample, tasks);
    await expectNothingLeft(instance, sample.remote);
    const started = (await readFile(starts, 'utf8')).trim().split('\n');
    expect(new Set(started).size, 'no run was started twice').toBe(started.length);
    // Kills are no faults of the agents.
    expect(tasks.map((task) => task.counters.faults)).toEqual(tasks.map(() => 0));
  } catch (err) {
    throw new Error(`storm with seed ${options.seed} (${options.victims.join(' ')}): ${(err as Error).message}`, {
      cause: err,
    });
  } finally {
    await instance.remove();
  }
}

/** Even tasks add a line at the same place, odd ones a file of their own. */
function script(n: number, starts: string): Record<string, ScriptStep[]> {
  const begun: ScriptStep = { append: starts, text: '{run}\n' };
  const change: ScriptStep[] =
    n % 2 === 0
      ? [{ replace: 'src/rates.js', from: '  small: 300,\n', to: `  small: 300,\n  kind${n}: ${n},\n` }]
      : [{ write: `src/other-${n}.js`, text: `export const n = ${n};\n` }];
  return {
    development: [begun, { sleepMs: 300 }, ...change, { commit: `Change ${n}` }],
    review: [begun],
    onConflict: [begun, { mergeBase: true }],
  };
}

async function kill(instance: Instance, victim: Victim, random: () => number): Promise<void> {
  if (victim === 'up') {
    await instance.kill();
    await instance.start();
    return;
  }
  const pid = victim === 'agent' ? await anyAgent(instance, random) : (await instance.children())[victim]?.pid;
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (err) {
    // It ended by itself between the look and the kill.
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err;
  }
}

async function anyAgent(instance: Instance, random: () => number): Promise<number | undefined> {
  const pids = await runProcesses(instance.dataDir);
  return pids[Math.floor(random() * pids.length)];
}
