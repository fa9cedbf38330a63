import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import fc from 'fast-check';
import { newKey } from '../../../activities/agents/warrant.js';
import { cacheEntry } from '../../../activities/agents/setup-cache.js';
import { openExport, parkExport, sweepWarm, type OpenExport } from '../../../activities/exports/warm.js';
import type { SetupConfig } from '../../../domain/checks/types.js';
import type { Repo } from '../../../domain/repos.js';
import { startCheckJob } from '../../../store/jobs.js';
import { addRunKey, runKeys } from '../../../store/run-keys.js';
import { makeAgentWorld, type AgentWorld } from '../../support/agent-host.js';
import { commitTrees, DEEDS, picture, trees, vandalise, type Tree } from '../../support/trees.js';

let w: AgentWorld;
let outside: string;
beforeAll(async () => {
  w = await makeAgentWorld();
  outside = path.join(w.world.root, 'outside');
  mkdirSync(`${outside}/dir`, { recursive: true });
  writeFileSync(`${outside}/canary`, 'sings');
});
afterAll(() => w.end());
beforeEach(() => rmSync(w.host.paths.warmExports, { recursive: true, force: true }));

let n = 0;
const keysOf = async (id: string): Promise<string[]> => (await runKeys(w.db.pool, id)).map(({ key }) => key);
async function open(at: string, repo: Repo = w.world.repo): Promise<OpenExport & { id: string }> {
  const run = { id: `check-${(n += 1)}`, key: newKey(), keysOf };
  await startCheckJob(w.db.pool, { runId: run.id, repo: 'web', workItem: null, workflowId: run.id });
  await addRunKey(w.db.pool, run.id, { key: run.key, facts: null });
  return { ...(await openExport(w.host, repo, { kind: 'base', branch: 'trees', commit: at }, run)), id: run.id };
}
const park = (opened: { id: string }, repo: Repo = w.world.repo): Promise<void> => parkExport(w.host, repo, opened.id);

/** What an export of this tree must be. */
function exported(tree: Tree): Record<string, string> {
  const modeOf = (name: string): number => statSync(path.join(outside, name)).mode & 0o7777;
  const dir = modeOf('dir').toString(8);
  const plain = modeOf('canary');
  const executable = plain | ((plain & 0o444) >> 2);
  const found: Record<string, string> = {};
  for (const [name, { mode, text }] of Object.entries(tree)) {
    const names = name.split('/').slice(0, -1);
    for (const i of names.keys()) found[`${names.slice(0, i + 1).join('/')}/`] = dir;
    const shown = (mode === '100755' ? executable : plain).toString(8);
    found[name] = mode === '120000' ? `-> ${text}` : `${shown} 1 ${text}`;
  }
  return found;
}

const commits = (...all: Tree[]): string[] => commitTrees(w.world.remote, 'trees', all);
const file = (text: string): Tree[string] => ({ mode: '100644', text });
const pooled = (): string[] =>
  readdirSync(w.host.paths.warmExports).flatMap((pool) => readdirSync(path.join(w.host.paths.warmExports, pool)));

it('is as a fresh export would be, whatever the checks before it did', async () => {
  const deeds = fc.array(fc.tuple(fc.constantFrom(...DEEDS), fc.nat()), { maxLength: 6 });
  const counts = { cold: 0, warm: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(trees, deeds), { minLength: 4, maxLength: 4 }), async (steps) => {
      const all = commits(...steps.map(([tree]) => tree));
      for (const [i, [, todo]] of steps.entries()) {
        const at = all[i] ?? '';
        const opened = await open(at);
        expect(picture(opened.cwd)).toEqual(exported(steps[i]?.[0] ?? {}));
        counts[opened.warm ? 'warm' : 'cold'] += 1;
        for (const [deed, pick] of todo) vandalise(opened.cwd, outside, deed, pick);
        await park(opened);
      }
    }),
    { numRuns: Number(process.env.EXPORT_RUNS ?? 2) },
  );
  expect(readFileSync(`${outside}/canary`, 'utf8')).toBe('sings');
  expect(counts.cold).toBe(1);
});

it('is made anew where what is known of it is missing, forged, or of another directory', async () => {
  const [one = '', two = ''] = commits({ 'a.txt': file('one') }, { 'a.txt': file('two') });
  for (const spoil of [
    (facts: string) => rmSync(facts),
    (facts: string) => writeFileSync(facts, readFileSync(facts, 'latin1').replace('a.txt', 'b.txt'), 'latin1'),
    (facts: string) => {
      rmSync(facts);
      symlinkSync('/dev/zero', facts);
    },
    (facts: string) => {
      const tree = facts.replace(/\.facts$/, '');
      rmSync(tree, { recursive: true });
      symlinkSync(outside, tree);
    },
  ]) {
    const first = await open(one);
    await park(first);
    spoil(path.join(w.host.paths.warmExports, poolName(), `${first.id}.facts`));
    const second = await open(two);
    expect([second.warm, picture(second.cwd)]).toEqual([false, exported({ 'a.txt': file('two') })]);
    await park(second);
    rmSync(w.host.paths.warmExports, { recursive: true });
  }
  expect(readFileSync(`${outside}/canary`, 'utf8')).toBe('sings');
});

const poolName = (): string => readdirSync(w.host.paths.warmExports)[0] ?? '';

it('that a dead worker left half switched is thrown away by whoever repeats the run', async () => {
  const [one = ''] = commits({ 'a.txt': file('one') });
  const run = { id: `check-${(n += 1)}`, key: newKey(), keysOf };
  await startCheckJob(w.db.pool, { runId: run.id, repo: 'web', workItem: null, workflowId: run.id });
  const cwd = path.join(w.host.paths.exports, run.id);
  mkdirSync(`${cwd}/half`, { recursive: true });
  mkdirSync(`${cwd}.work/junk/x`, { recursive: true });
  const source = { kind: 'base', branch: 'trees', commit: one } as const;
  expect(picture((await openExport(w.host, w.world.repo, source, run)).cwd)).toEqual(
    exported({ 'a.txt': file('one') }),
  );
  expect(readdirSync(w.host.paths.exports)).toEqual([run.id]);
  rmSync(cwd, { recursive: true });
});

it('goes to one check at a time, and as many are kept as the host allows', async () => {
  const [one = ''] = commits({ 'a.txt': file('one') });
  const all = await Promise.all([1, 2, 3, 4, 5, 6].map(() => open(one)));
  for (const opened of all) await park(opened);
  await expect.poll(() => pooled().filter((name) => !name.endsWith('.facts'))).toHaveLength(4);
  const again = await Promise.all([1, 2].map(() => open(one)));
  expect(new Set(again.map((opened) => statSync(opened.cwd).ino)).size).toBe(2);
  expect(again.every((opened) => opened.warm)).toBe(true);
  for (const opened of again) await park(opened);
  const tight = { ...w.host, checks: { ...w.host.checks, warmBytes: 0 } };
  await sweepWarm(tight);
  expect(pooled()).toEqual([]);
});

it('keeps what a setup made while its key files are the same, and only as the setup made it', async () => {
  const setup: SetupConfig = { command: ['install'], timeout: 1000, cache: ['deps', 'sub/lib/'], cacheKey: ['lock'] };
  const repo: Repo = { ...w.world.repo, config: { ...w.world.repo.config, setup } };
  const base = { lock: file('1'), a: file('a'), 'sub/x': file('x') };
  const states = [base, { ...base, a: file('b') }, { ...base, lock: file('2') }, { ...base, 'deps/own': file('own') }];
  const [one = '', two = '', other = '', overlap = ''] = commits(...states);
  const made = { 'deps/': '755', 'deps/m': '644 1 made', 'sub/lib/': '755', 'sub/lib/n': '644 1 made' };

  const first = await open(one, repo);
  expect(first.setup).toBe('to-run');
  await park(first, repo);
  // As the supervisor saves it.
  const cacheDir = w.host.paths.setupCache('web');
  mkdirSync(`${outside}/key`);
  writeFileSync(`${outside}/key/lock`, '1');
  const entry = cacheEntry({ ...setup, cacheDir, env: {}, timeoutMs: 0 }, `${outside}/key`) ?? '';
  for (const [i, name] of ['m', 'n'].entries()) {
    mkdirSync(`${entry}/${i}`, { recursive: true });
    writeFileSync(`${entry}/${i}/${name}`, 'made');
  }
  const restored = await open(two, repo);
  expect([restored.setup, picture(restored.cwd)]).toEqual(['restored', { ...exported(states[1] ?? {}), ...made }]);
  const { ino } = statSync(`${restored.cwd}/deps/m`);
  writeFileSync(`${restored.cwd}/deps/.cache`, 'of a check');
  await park(restored, repo);
  const kept = await open(one, repo);
  expect([kept.setup, picture(kept.cwd)]).toEqual(['restored', { ...exported(base), ...made }]);
  expect(statSync(`${kept.cwd}/deps/m`).ino).toBe(ino);
  writeFileSync(`${kept.cwd}/deps/m`, 'evil');
  await park(kept, repo);
  const mended = await open(one, repo);
  expect([mended.setup, picture(mended.cwd)]).toEqual(['restored', { ...exported(base), ...made }]);
  await park(mended, repo);
  const elsewhere = await open(other, repo);
  expect([elsewhere.warm, elsewhere.setup, picture(elsewhere.cwd)]).toEqual([
    true,
    'to-run',
    exported(states[2] ?? {}),
  ]);
  await park(elsewhere, repo);
  const whole = await open(overlap, repo);
  expect([whole.setup, picture(whole.cwd)]).toEqual(['whole', exported(states[3] ?? {})]);
  await park(whole, repo);
});
