import { configHash } from '../../../domain/checks/config-hash.js';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { processFacts } from '../../../activities/agents/processes.js';
import { stopRun } from '../../../activities/agents/stop.js';
import { runCheck } from '../../../activities/checks/run-check.js';
import type { AgentHost } from '../../../activities/agents/host.js';
import type { CommandCheck, CheckRunResult } from '../../../domain/checks/types.js';
import { getJob } from '../../../store/jobs.js';
import { updateRepo } from '../../../store/repos.js';
import type { CheckInput } from '../../../workflows/activities.js';
import { checkRunId, verdictKey } from '../../../workflows/ids.js';
import { makeAgentWorld, type AgentWorld } from '../../support/agent-host.js';
import { git } from '../../support/git.js';

let w: AgentWorld;
beforeAll(async () => {
  w = await makeAgentWorld();
});
afterAll(() => w.end());

const check = (name: string, script: string, more: Partial<CommandCheck> = {}): CommandCheck => ({
  ...{ name, kind: 'command', command: ['sh', '-c', script], timeout: 20_000, env: {}, needsHistory: false },
  ...more,
});

let n = 0;
async function run(
  checks: CommandCheck[],
  setup: string | null = null,
  host: AgentHost = w.host,
  asked: string | null = null,
): Promise<{ result: CheckRunResult; id: string }> {
  const command = ['sh', '-c', setup ?? ''];
  const config = {
    ...w.world.repo.config,
    checks,
    setup: setup === null ? null : { command, timeout: 20_000, cache: [], cacheKey: [] },
  };
  await updateRepo(w.db.pool, 'web', { config });
  const commit = w.world.base();
  const tree = git(w.world.remote, 'rev-parse', `${commit}^{tree}`);
  const hash = configHash(checks, config.setup, commit);
  // Each is an execution of its own, also of the same checks.
  const key = verdictKey('web', tree, `c${++n}`);
  const input: CheckInput = {
    ...{ key, repo: 'web', tree, configHash: asked ?? hash, checks: null, queuePrefix: 'q', subscribers: [] },
    source: { kind: 'base', branch: 'main', commit },
    settings: { hostStale: 1, backoffBase: 1, backoffMax: 1, maxAttempts: 1 },
  };
  const result = await new MockActivityEnvironment().run<[], CheckRunResult, () => Promise<CheckRunResult>>(() =>
    runCheck(host, input, 1),
  );
  return { result, id: checkRunId(key, '00000000-0000-0000-0000-000000000000', 1) };
}

it('says nothing of a tree once the checks are others than those that were asked for', async () => {
  const asked = configHash([check('unit', 'false')], null, w.world.base());
  const { result } = await run([check('unit', 'true')], null, w.host, asked);
  expect(result).toEqual({ kind: 'fault', reason: expect.stringContaining('were changed') as string });
  expect((await run([], null, w.host, asked)).result.kind).toBe('fault');
});

it('is green when all checks end with 0, in order, on exactly the tree, with their environment', async () => {
  const { result, id } = await run([
    check('first', 'test -f src/a.txt && test ! -e .git && echo "$WHO" > out', { env: { WHO: 'me' } }),
    check('second', 'grep -q me out && test -z "$SIGNALBOX_TOKEN"'),
  ]);
  expect(result).toMatchObject({ kind: 'green' });
  expect(await getJob(w.db.pool, id)).toMatchObject({ status: 'done', kind: 'check' });
  expect(readdirSync(w.host.paths.exports)).toEqual([]);
});

it('is red with the last lines of the first check that fails, and runs no other', async () => {
  const { result, id } = await run([
    check('noise', 'echo of another check'),
    check('unit', 'seq 1000; echo on stderr >&2; exit 3'),
    check('late', 'touch "$HOME/late"'),
  ]);
  if (result.kind !== 'red') throw new Error(JSON.stringify(result));
  expect(result.failed).toMatchObject({ name: 'unit', exitCode: 3 });
  const lines = result.failed.tail.split('\n');
  expect([lines.length, lines[0], lines.at(-1)]).toEqual([200, '802', 'on stderr']);
  expect(existsSync(`${w.world.root}/late`)).toBe(false);
  expect(await getJob(w.db.pool, id)).toMatchObject({ status: 'failed', error: 'unit is red' });
});

it('is red for a missing command and a failing setup, but a fault for one that takes too long', async () => {
  const missing = await run([check('lint', '', { command: ['./no-such-linter'] })]);
  expect(missing.result).toMatchObject({ kind: 'red', failed: { name: 'lint', exitCode: 127 } });
  const setup = await run([check('unit', 'true')], 'echo cannot install; exit 4');
  expect(setup.result).toMatchObject({ kind: 'red', failed: { name: 'setup', exitCode: 4, tail: 'cannot install' } });
  const late = await run([check('unit', 'sleep 60', { timeout: 300 })]);
  expect(late.result).toMatchObject({ kind: 'fault' });
});

it('shares a run with whoever repeats the same request, and with nobody else', async () => {
  const count = `${w.world.root}/count`;
  const checks = [check('unit', `echo x >> ${count}; sleep 0.3`)];
  await updateRepo(w.db.pool, 'web', { config: { ...w.world.repo.config, setup: null, checks } });
  const commit = w.world.base();
  const tree = git(w.world.remote, 'rev-parse', `${commit}^{tree}`);
  const input: CheckInput = {
    ...{ key: verdictKey('web', tree, 'shared'), repo: 'web', tree, checks: null },
    configHash: configHash(checks, null, commit),
    ...{ queuePrefix: 'q', subscribers: [], source: { kind: 'base', branch: 'main', commit } },
    settings: { hostStale: 1, backoffBase: 1, backoffMax: 1, maxAttempts: 1 },
  };
  const of = (runId: string): Promise<CheckRunResult> =>
    new MockActivityEnvironment({ workflowExecution: { workflowId: 'check', runId } }).run<
      [],
      CheckRunResult,
      () => Promise<CheckRunResult>
    >(() => runCheck(w.host, input, 1));
  // The worker of the first is thought dead; the workflow of the third begins after that of the first was terminated.
  const results = await Promise.all([of('one'), of('one'), of('two')]);
  expect(results.map((r) => r.kind)).toEqual(['green', 'green', 'green']);
  expect(readFileSync(count, 'utf8')).toBe('x\nx\n');
});

it('comes to an end whatever a check makes of its run directory', async () => {
  const inRun = 'cd "$SIGNALBOX_RUN_DIR"';
  const red = await run([check('unit', `${inRun}; rm out.jsonl; mkfifo out.jsonl setup.log exit.json stop; exit 3`)]);
  expect(red.result).toMatchObject({ kind: 'red', failed: { name: 'unit', exitCode: 3, tail: '' } });
  const lost = await run([check('unit', `${inRun}; rm shim.json; exec sleep 300`)]);
  expect(lost.result).toEqual({ kind: 'fault', reason: 'the claim of the run is gone' });
});

it('has ports of its own while it runs, and waits where all are taken, also by somebody else', async () => {
  const seen = `${w.world.root}/ports`;
  const script = `echo "begin $SIGNALBOX_PORT $SIGNALBOX_PORT_COUNT" >> ${seen}; sleep 0.3; echo "end $SIGNALBOX_PORTS" >> ${seen}`;
  const checks = [check('unit', script)];
  const host = { ...w.host, checks: { ...w.host.checks, ports: { first: 21_300, last: 21_329 } } };
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(21_319, '127.0.0.1', resolve));
  // Three ranges, and one of them is taken: of three checks one has to wait.
  const all = await Promise.all([1, 2, 3].map(() => run(checks, null, host)));
  server.close();
  expect(all.map(({ result }) => result.kind)).toEqual(['green', 'green', 'green']);
  const held = new Set<string>();
  for (const line of readFileSync(seen, 'utf8').trim().split('\n')) {
    const [what, ports = ''] = line.split(/[ -]/);
    expect(held.has(ports)).toBe(what === 'end');
    if (what === 'begin') held.add(ports);
    else held.delete(ports);
    expect(['21300', '21320']).toContain(ports);
  }
});

it('has a history to look at where a check wants one', async () => {
  const { result } = await run([
    check('log', 'test "$(git log --format=%s | tail -1)" = First', { needsHistory: true }),
  ]);
  expect(result).toMatchObject({ kind: 'green' });
});

it('ends within a second or two when it is given up, with processes that do not heed it', async () => {
  const pidFile = `${w.world.root}/stubborn`;
  const running = run([check('unit', `trap '' TERM; echo $$ > ${pidFile}; while :; do sleep 0.1; done`)]);
  await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '', { timeout: 15_000 }).toBe(true);
  const [id = ''] = readdirSync(w.host.paths.exports);
  const began = performance.now();
  await stopRun(w.host, id, 'nobody waits for the verdict any more', 1000);
  expect(processFacts(Number(readFileSync(pidFile, 'utf8')))?.zombie ?? true).toBe(true);
  // Patience for a machine that is busy; without the short grace it would be five seconds more.
  expect(performance.now() - began).toBeLessThan(5000);
  expect((await running).result).toMatchObject({ kind: 'fault' });
  expect(readdirSync(w.host.paths.exports)).toEqual([]);
});
