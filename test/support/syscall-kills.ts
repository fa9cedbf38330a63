/**
 * Kills a publish at one system call of one of its git processes, in the gate or in the remote, whose receive-pack and
 * its children run here too. Then recovers as the merge queue does, and checks the promises.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { createLandings, type Landings } from '../../activities/git/landing.js';
import type { EnqueueRequest, LandingPlan, PublishResult } from '../../domain/merge-queue/types.js';
import { git, type World } from './git.js';
import { ended, startVictim } from './git-kills.js';
import { WrappedGit, type Death, type Point } from './wrapped-git.js';

/** Publishes in a world, one work item after the other. */
export class SyscallKills {
  readonly wrapped: WrappedGit;
  readonly #world: World;
  readonly #landings: Landings;
  #items = 0;

  constructor(world: World) {
    this.#world = world;
    this.wrapped = new WrappedGit(world.root);
    const host = world.host('one', { env: { PATH: this.wrapped.path }, staleLockMs: 50 });
    this.#landings = createLandings(host, world.records);
  }

  /** Every point of a publish, by making one. */
  async points(): Promise<Point[]> {
    // The first landing of a gate fetches more than the others.
    await this.#land(await this.plan());
    const plan = await this.plan();
    this.wrapped.count();
    try {
      await this.#land(plan);
    } finally {
      this.wrapped.off();
    }
    return this.wrapped.points();
  }

  /** The plan of a new work item. */
  async plan(): Promise<LandingPlan> {
    this.#items += 1;
    const item = `ET-${this.#items}`;
    return this.#prepare(this.#world.request(item, this.#world.head(item, { [`src/${item}.txt`]: `${item}\n` })));
  }

  /** Whether the kill came. Throws where a promise is broken. */
  async killAndRecover(point: Point, death: Death): Promise<boolean> {
    const plan = await this.plan();
    await this.kill(plan, point, death);
    await this.recover(plan);
    return this.wrapped.killed();
  }

  /** Publishes `plan` and dies. A process that dies alone must leave nothing that a person has to mend. */
  async kill(plan: LandingPlan, point: Point, death: Death): Promise<void> {
    this.wrapped.killAt(point, death);
    try {
      if (death === 'all') {
        const victim = await startVictim(this.#world, { mode: 'publish', plan, path: this.wrapped.path }, 'ready');
        await ended(victim);
        if (victim.exitCode !== null && victim.exitCode !== 0) throw new Error('the publisher ended by itself');
        return;
      }
      // Its failure is the point of it: what it left behind is looked at by `recover`.
      const result = await this.#publish(plan).catch(() => null);
      if (result?.kind === 'blocked') throw new Error(`blocked: ${JSON.stringify(result)}`);
    } finally {
      this.wrapped.off();
    }
  }

  /** What the queue does with a push in doubt: fence, and where it did not land a new plan. Then all must be well. */
  async recover(plan: LandingPlan): Promise<void> {
    const fenced = await this.#landings.fenceLanding('web', 'main', plan);
    if (fenced.kind === 'blocked') throw new Error(`the fence is blocked: ${JSON.stringify(fenced)}`);
    const { entry } = plan;
    const request = this.#world.request(entry.workItem, entry.head);
    await this.#land(fenced.kind === 'landed' ? plan : await this.#prepare(request));
    this.#check(entry.entry);
  }

  #check(entry: string): void {
    const { remote, root } = this.#world;
    const carried = git(remote, 'log', '--format=%H', `--grep=Signalbox-Entry: ${entry}`, 'main');
    if (carried !== this.#world.base()) throw new Error(`base is not the one landing: ${carried}`);
    git(remote, 'merge-base', '--is-ancestor', carried, this.#world.tip());
    git(remote, 'fsck', '--full', '--strict', '--no-dangling');
    git(path.join(root, 'host-one/gates/web.git'), 'fsck', '--connectivity-only', '--no-dangling');
    const locks = readdirSync(remote, { recursive: true }).filter((name) => String(name).endsWith('.lock'));
    if (locks.length > 0) throw new Error(`locks are left: ${locks.join(', ')}`);
  }

  async #prepare(request: EnqueueRequest): Promise<LandingPlan> {
    const prepared = await this.#landings.prepareLanding(request, null);
    if (prepared.kind !== 'planned') throw new Error(JSON.stringify(prepared));
    return prepared.plan;
  }

  #publish(plan: LandingPlan): Promise<PublishResult> {
    return this.#landings.publishLanding(plan, { kind: 'none', tree: plan.tree });
  }

  async #land(plan: LandingPlan): Promise<void> {
    const result = await this.#publish(plan);
    if (result.kind !== 'landed') throw new Error(`did not land: ${JSON.stringify(result)}`);
    this.#world.records.landings.push(result.landing);
  }
}
