/**
 * What the demo proves about its landings, from the remote and from what the API says: nothing is taken on trust from
 * the process that landed them.
 */
import type { Landed, TaskStateName, Waiting } from '../../domain/tasks.js';
import { demoGit } from './git.js';

export interface Proof {
  name: string;
  ok: boolean;
  detail: string;
}

export interface LandingRow {
  entry: string;
  task: string;
  plan: string;
  commit: string;
  tree: string;
  base: string;
  verdict: string;
  at: string;
}

export interface TaskRow {
  task: string;
  title: string;
  state: TaskStateName;
  stage: string;
  waitingOn: Waiting | null;
  landed: Landed | null;
  counters: { faults: number; transient: number; followUps: number; humanWaits: number };
  [key: string]: unknown;
}

interface Evidence {
  remote: string;
  first: string;
  tasks: TaskRow[];
  /** Oldest first. */
  landings: LandingRow[];
}

type Prover = (evidence: Evidence) => Promise<Omit<Proof, 'name'>>;

const PROOFS: Record<string, Prover> = {
  'every task is done': ({ tasks }) => {
    const open = tasks.filter((t) => t.state !== 'done' || t.landed === null);
    return verdict(
      open.length === 0,
      open.map((t) => `${t.task} is ${t.state}`),
      `${tasks.length} tasks`,
    );
  },
  'each landed tree is the tree that passed its checks': async ({ remote, landings }) => {
    const wrong: string[] = [];
    for (const l of landings) {
      const tree = await demoGit(remote, ['rev-parse', `${l.commit}^{tree}`]);
      if (tree !== l.tree || l.verdict !== 'green')
        wrong.push(`${l.task}: tree ${tree}, checked ${l.tree} (${l.verdict})`);
    }
    return verdict(wrong.length === 0, wrong, `${landings.length} trees compared on the remote`);
  },
  'each entry is on base exactly once': async ({ remote, first, landings }) => {
    const format = '--format=%(trailers:key=Signalbox-Entry,valueonly,separator=%x2C)';
    const found = lines(await demoGit(remote, ['log', format, `${first}..main`]));
    const wanted = landings.map((l) => l.entry);
    const ok =
      found.length === wanted.length && new Set(found).size === found.length && wanted.every((e) => found.includes(e));
    return verdict(ok, [`on base: ${found.join(' ')}`, `landed: ${wanted.join(' ')}`], `${found.length} entries`);
  },
  'no two landings overlap': async ({ remote, first, landings }) => {
    const reflog = lines(await demoGit(remote, ['log', '-g', '--format=%H', 'main'])).reverse();
    const expected = [first, ...landings.map((l) => l.commit)];
    const chained = landings.every((l, i) => l.base === expected[i]);
    const ok = chained && reflog.join() === expected.join();
    return verdict(
      ok,
      [`reflog: ${reflog.join(' ')}`, `landings: ${expected.join(' ')}`],
      'each was checked on the one before it, as the remote logged them',
    );
  },
  'base and fence agree': async ({ remote }) => {
    // The tip ref is at base, or, where the fence was taken, at a commit over base with the same tree.
    const refs = ['refs/heads/main', 'refs/signalbox/tip/main'];
    const trees = lines(await demoGit(remote, ['rev-parse', ...refs.map((ref) => `${ref}^{tree}`)]));
    const beyond = await demoGit(remote, ['rev-list', '--count', refs[0] ?? '', `^${refs[1] ?? ''}`]);
    const [main, tip] = lines(await demoGit(remote, ['rev-parse', ...refs]));
    const agree = trees[0] === trees[1] && beyond.trim() === '0';
    return verdict(agree, [`main ${main ?? ''}, tip ${tip ?? ''}`], String(main).slice(0, 12));
  },
  'the repository is sound': async ({ remote }) => {
    await demoGit(remote, ['fsck', '--full', '--strict', '--no-dangling']);
    return { ok: true, detail: 'git fsck --full --strict' };
  },
};

/** Runs every proof; one that throws has failed, with the reason. */
export async function prove(evidence: Evidence): Promise<Proof[]> {
  const proofs: Proof[] = [];
  for (const [name, prover] of Object.entries(PROOFS)) {
    try {
      proofs.push({ name, ...(await prover(evidence)) });
    } catch (err) {
      proofs.push({ name, ok: false, detail: err instanceof Error ? err.message : String(err) });
    }
  }
  return proofs;
}

function verdict(ok: boolean, wrong: string[], right: string): Promise<Omit<Proof, 'name'>> {
  return Promise.resolve({ ok, detail: ok ? right : wrong.join('; ') });
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
