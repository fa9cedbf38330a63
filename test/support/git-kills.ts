/** Kills a publisher or a fence taker at some moment, recovers as the next attempt would, and checks the promises. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLandings } from '../../activities/git/landing.js';
import type { LandingPlan } from '../../domain/merge-queue/types.js';
import { git, type World } from './git.js';

export interface Job {
  mode: 'publish' | 'fence' | 'hold';
  plan?: LandingPlan;
  crash?: string;
  lock?: string;
  /** PATH of its git, where not ours. */
  path?: string;
}

/** In a process group of its own. Resolves when it has said `word`, or is gone. */
export async function startVictim(world: World, job: Job, word: string): Promise<ChildProcess> {
  const file = path.join(world.root, `job-${job.mode}-${Math.random()}.json`);
  const verdict = { kind: 'none', tree: job.plan?.tree ?? '' };
  writeFileSync(file, JSON.stringify({ ...job, verdict, root: world.root, host: 'one', repo: world.repo }));
  const script = fileURLToPath(new URL('./git-victim.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, file], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(word)) resolve();
    });
    child.once('exit', () => resolve());
  });
  return child;
}

export function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The whole group is gone already.
  }
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}

/**
 * Moments to kill at, that keep close to the effect on this machine at this load: later after a kill that came before
 * it, earlier after one that came behind.
 */
export class Moments {
  private span = 200;
  next(): number {
    return Math.floor(this.span * (0.6 + 0.8 * Math.random()));
  }
  seen(when: 'before' | 'after'): void {
    this.span = Math.min(20_000, Math.max(20, this.span * (when === 'before' ? 1.25 : 0.8)));
  }
}

/** One round: plan `workItem`, run the job, kill it `afterMs` after it began (or at its crash point), recover, check; tells which side of the effect. */
export async function killAndRecover(
  world: World,
  workItem: string,
  kind: { mode: 'publish' | 'fence'; crash?: string; afterMs?: number },
): Promise<'before' | 'after'> {
  const landings = createLandings(world.host('one'), world.records);
  const head = world.head(workItem, { [`src/${workItem}.txt`]: `${workItem}\n` });
  const prepared = await landings.prepareLanding(world.request(workItem, head), null);
  if (prepared.kind !== 'planned') throw new Error(JSON.stringify(prepared));
  let { plan } = prepared;
  const victim = await startVictim(world, { ...kind, plan }, 'ready');
  if (kind.afterMs !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, kind.afterMs));
    killGroup(victim);
  }
  await ended(victim);
  if (kind.crash !== undefined && victim.signalCode !== 'SIGKILL') throw new Error(`${kind.crash} did not fire`);
  const done = kind.mode === 'publish' ? world.base() === plan.commit : world.tip() !== plan.lastTip;
  if (kind.mode === 'fence') {
    const fenced = await landings.fenceLanding('web', 'main', plan);
    if (fenced.kind !== 'not-landed') throw new Error(JSON.stringify(fenced));
    plan = { ...plan, lastTip: fenced.tip };
  }
  const result = await landings.publishLanding(plan, { kind: 'none', tree: plan.tree });
  if (result.kind !== 'landed') throw new Error(JSON.stringify(result));
  world.records.landings.push(result.landing);
  if (world.base() !== plan.commit) throw new Error('base is not the landing');
  const carried = git(world.remote, 'log', '--format=%H', `--grep=Signalbox-Entry: ${plan.entry.entry}`, 'main');
  if (carried !== plan.commit) throw new Error(`landed more than once: ${carried}`);
  git(world.remote, 'merge-base', '--is-ancestor', plan.commit, world.tip());
  const locks = readdirSync(world.remote, { recursive: true }).filter((name) => String(name).endsWith('.lock'));
  if (locks.length > 0) throw new Error(`locks are left: ${locks.join(', ')}`);
  return done ? 'after' : 'before';
}
