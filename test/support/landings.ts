/** Real landings without workflows: real git, real Postgres, and what the merge queue and its checks would record. */
import path from 'node:path';
import { createGitHost } from '../../activities/git/host.js';
import { createLandings, type Landings } from '../../activities/git/landing.js';
import { landingRecords } from '../../activities/git/records.js';
import { hostPaths } from '../../activities/paths.js';
import { configHash } from '../../domain/checks/config-hash.js';
import type { Landing, LandingPlan, LandingStrategy } from '../../domain/merge-queue/types.js';
import type { Repo } from '../../domain/repos.js';
import { insertLanding } from '../../store/landings.js';
import { insertEntry, settleEntry } from '../../store/merge-entries.js';
import { getRepo } from '../../store/repos.js';
import { transaction } from '../../store/db.js';
import { recordVerdict } from '../../store/verdicts.js';
import type { TestApi } from './api.js';
import { git, makeWorld, write, type World } from './git.js';

export interface Landed {
  landing: Landing;
  plan: LandingPlan;
}

/** A repository `web` on a remote of its own, whose tasks land when a test says so. */
export class LandingYard {
  readonly world: World = makeWorld();
  readonly api: TestApi;
  readonly #landings: Landings;

  constructor(api: TestApi) {
    this.api = api;
    const paths = hostPaths(path.join(this.world.root, 'worker'));
    this.#landings = createLandings(
      createGitHost({ paths, lookup: (name) => process.env[name] }),
      landingRecords(api.database.pool),
    );
  }

  async register(checks: readonly object[] = [{ name: 'unit', command: ['true'] }]): Promise<Repo> {
    await this.api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
    const reply = await this.api.call('POST', '/api/repos', { id: 'web', remote: this.world.remote, checks });
    if (reply.status > 201) throw new Error(reply.text);
    return reply.json as Repo;
  }

  /** A new task; gives its work item. */
  async task(): Promise<string> {
    const work = { name: 'development', kind: 'agent', agent: 'default' };
    const pipeline = { stages: [work, { name: 'merge', kind: 'merge' }] };
    const reply = await this.api.call('POST', '/api/tasks', { repo: 'web', title: 'Do it', pipeline });
    if (reply.status !== 201) throw new Error(reply.text);
    return (reply.json as { workItem: string }).workItem;
  }

  /** Lands `commits` (each some files) as a new task, with a green verdict. */
  async land(strategy: LandingStrategy, ...commits: Record<string, string>[]): Promise<Landed> {
    const { pool } = this.api.database;
    await this.api.call('PATCH', '/api/repos/web', { merge: { strategy } });
    const workItem = await this.task();
    const head = this.#head(workItem, commits);
    const request = { ...this.world.request(workItem, head), enqueuedAt: new Date().toISOString() };
    await insertEntry(pool, request);
    const prepared = await this.#landings.prepareLanding(request, null);
    if (prepared.kind !== 'planned') throw new Error(JSON.stringify(prepared));
    const { plan } = prepared;
    const { tree } = plan;
    const { checks, setup } = await this.#config();
    const hash = configHash(checks, setup, plan.commit);
    const key = `web/${tree}/${hash}`;
    await recordVerdict(
      pool,
      {
        ...{ key, repo: 'web', tree, configHash: hash, verdict: 'green', failed: null, flaky: false, reason: null },
        at: new Date().toISOString(),
      },
      [],
    );
    const published = await this.#landings.publishLanding(plan, { kind: 'green', tree });
    if (published.kind !== 'landed') throw new Error(JSON.stringify(published));
    await transaction(pool, async (tx) => {
      await insertLanding(tx, request, published.landing);
      await settleEntry(tx, request.entry, { kind: 'landed', landing: published.landing });
    });
    return { landing: published.landing, plan };
  }

  async #config(): Promise<Repo['config']> {
    const repo = await getRepo(this.api.database.pool, 'web');
    if (repo === null) throw new Error('there is no repository web');
    return repo.config;
  }

  /** A head of several commits on top of base. */
  #head(workItem: string, commits: Record<string, string>[]): string {
    const { person, repo } = this.world;
    git(person, 'fetch', '-q', 'origin', 'main');
    git(person, 'checkout', '-q', '--detach', 'FETCH_HEAD');
    for (const [i, files] of commits.entries()) {
      write(person, files);
      git(person, 'add', '-A');
      git(person, 'commit', '-q', '-m', `Step ${i + 1} of ${workItem}`);
    }
    git(person, 'push', '-q', '-f', 'origin', `HEAD:${repo.facts.headsPrefix}${workItem}`);
    return git(person, 'rev-parse', 'HEAD');
  }
}
