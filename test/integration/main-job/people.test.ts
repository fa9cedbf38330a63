/** What people do with a running instance: by `signalbox`, by `temporal`, by HTTP. One `signalbox up` for all of it. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { at } from '../../../cli/client.js';
import { demoGit } from '../../../cli/demo/git.js';
import type { LandingRow, TaskRow } from '../../../cli/demo/proofs.js';
import type { ScriptStep } from '../../../cli/demo/scripted-agent.js';
import { Instance } from '../../support/instance.js';
import { expectNothingLeft, expectProvenLandings } from '../../support/invariants.js';

let instance: Instance;
let sample: { remote: string; first: string };
/** Collects the prompts of the agents of a task. */
const prompts = (task: string): string => path.join(instance.dir, `prompts-${task}`);
const keepPrompt = (name: string): ScriptStep => ({
  run: ['sh', '-c', `cat "$SIGNALBOX_PROMPT_FILE" >> ${prompts(name)}`],
});
const change = (file: string): ScriptStep[] => [
  { write: file, text: '{stage} {attempt}\n' },
  { commit: `Write ${file}` },
];
const explain = (task: string): Promise<{ chain: { kind: string; detail: string; unblockedBy: string[] }[] }> =>
  instance.client.get(at('tasks', ...task.split('/'), 'explain'));
const waitsFor = (kind: string) => (task: TaskRow) => task.waitingOn?.kind === kind;

/** A pipeline of one agent stage, without checks that cost time. */
const SHORT = {
  stages: [
    { name: 'work', kind: 'agent', agent: 'worker', maxAttempts: 2 },
    { name: 'merge', kind: 'merge' },
  ],
};

beforeAll(async () => {
  instance = await Instance.create({ SIGNALBOX_BACKOFF_BASE: '300ms', SIGNALBOX_BACKOFF_MAX: '600ms' });
  await instance.start();
  sample = await instance.addSampleRepository(null);
}, 90_000);
afterAll(() => instance.remove());

test('the built-in pipeline by the signalbox command: read, sent back, approved, landed', async () => {
  const document = 'docs/brd/{workItem}.md';
  const { task } = await instance.submit('Weigh parcels', {
    analysis: [keepPrompt('weigh'), { write: document, text: 'Draft {attempt}\n' }, { commit: 'Say what is wanted' }],
    development: change('src/weigh.js'),
  });
  const first = await instance.untilTask(task, waitsFor('approval'));
  const sha = first.waitingOn?.artifact?.sha ?? '';
  expect(first).toMatchObject({ state: 'waiting', stage: 'approval', agentRunning: null, head: sha });
  expect(first.waitingOn?.artifact?.path).toBe('docs/brd/ET-001.md');
  expect(await instance.client.text(`${at('tasks', 'web', 'ET-001')}/artifacts/analysis`, { sha })).toBe('Draft 1\n');
  expect((await instance.cli('task', 'diff', task)).out).toContain('+Draft 1');
  expect((await instance.cli('task', 'explain', task)).out).toMatch(/^approval \(\d+s\): a person approves docs/);

  const stale = await instance.cli('task', 'approve', task, '--stage', 'approval', '--sha', '0'.repeat(40));
  expect(stale).toMatchObject({ code: 1, out: '' });
  expect(stale.err).toContain(sha);
  const nobody = await instance.cli('task', 'approve', task);
  expect(nobody).toMatchObject({ code: 1 });
  expect(nobody.err).toContain('--yes');

  const rejected = await instance.cli('task', 'reject', task, '--yes', '--reason', 'Say it in grams.');
  expect(rejected.err).toBe('');
  expect(rejected.out).toContain('Draft 1');
  expect(rejected.out).toContain('rejected by up');
  const second = await instance.untilTask(task, (t) => waitsFor('approval')(t) && t.waitingOn?.artifact?.sha !== sha);
  expect(await readFile(prompts('weigh'), 'utf8')).toContain('Say it in grams.');
  expect(second.counters).toMatchObject({ followUps: 1, humanWaits: 2, faults: 0 });

  const approved = await instance.cli('task', 'approve', task, '--yes', '--json');
  const { decision } = JSON.parse(approved.out) as { decision: object };
  expect(decision).toMatchObject({
    stage: 'approval',
    sha: second.waitingOn?.artifact?.sha,
    verdict: 'approved',
    by: 'up',
  });
  const body = { stage: 'approval', sha: second.waitingOn?.artifact?.sha };
  const again = await instance.client.send<{ decision: object }>('POST', at('tasks', 'web', 'ET-001', 'reject'), body);
  expect(again.decision).toEqual(decision);

  const done = await instance.untilTask(task, (t) => t.state === 'done');
  expect(done).toMatchObject({ stage: 'done', waitingOn: null, branch: 'signalbox/ET-001' });
  expect((await explain(task)).chain).toMatchObject([
    { kind: 'end', detail: expect.stringContaining(`landed on main as ${done.landed?.commit ?? 'none'}`) as string },
  ]);
  expect((await demoGit(sample.remote, ['rev-parse', 'main'])).trim()).toBe(done.landed?.commit);
  expect(await demoGit(sample.remote, ['show', 'main:docs/brd/ET-001.md'])).toContain('Draft 2');
  await expect(instance.client.send('POST', at('tasks', 'web', 'ET-001', 'approve'), body)).resolves.toMatchObject({
    decision,
  });
  const runs = await instance.client.get<{ items: { stage: string; attempt: number }[] }>(
    at('tasks', 'web', 'ET-001', 'runs'),
  );
  expect(runs.items.map((r) => `${r.stage} ${r.attempt}`)).toEqual([
    ...['analysis 1', 'analysis 2', 'architecture 1', 'development 1', 'review 1'],
  ]);
});

test('everything documented works with the real temporal command', async () => {
  const pipeline = { stages: [SHORT.stages[0], { name: 'approval', kind: 'approval', of: 'work' }, SHORT.stages[1]] };
  const { task, workItem } = await instance.submit('By temporal', { work: change('by-temporal.txt') }, { pipeline });
  const found = await instance.untilTask(task, waitsFor('approval'));
  const id = `task/${task}`;
  const query = 'SignalboxRepo="web" AND SignalboxWaitingOn="approval"';
  const list = await instance.until(
    'the search attribute',
    () => instance.temporalCli('workflow', 'list', '-q', query) as Promise<{ execution: { workflowId: string } }[]>,
    (items) => items.length > 0,
  );
  expect(list.map((w) => w.execution.workflowId)).toEqual([id]);
  const byItem = `SignalboxWorkItem="${String(workItem)}" AND SignalboxStage="approval" AND SignalboxBranch="signalbox/${String(workItem)}"`;
  expect(await instance.temporalCli('workflow', 'list', '-q', byItem)).toHaveLength(1);

  const ask = async (type: string, workflow = id): Promise<unknown> =>
    ((await instance.temporalCli('workflow', 'query', '-w', workflow, '--type', type)) as { queryResult: unknown[] })
      .queryResult[0];
  expect(await ask('status')).toMatchObject({ task, state: 'waiting', stage: 'approval', head: found.head });
  expect(await ask('explain')).toMatchObject({ chain: [{ kind: 'approval' }] });

  const sha = found.waitingOn?.artifact?.sha ?? '';
  const execute = (name: string, input: object): Promise<unknown> =>
    instance.temporalCli('workflow', 'update', 'execute', '-w', id, '--name', name, '--input', JSON.stringify(input));
  await expect(execute('approve', { stage: 'approval', sha: '0'.repeat(40) })).rejects.toThrow(
    /what waits for an approval/,
  );
  await expect(execute('approve', { stage: 'approval', sha: 7 })).rejects.toThrow(/must be a text/);
  await execute('approve', { stage: 'approval', sha, by: 'the queen', intent: 1 });
  await instance.untilTask(task, (t) => t.state === 'done');
  const { decision } = await instance.client.send<{ decision: { by: string } }>(
    'POST',
    at('tasks', ...task.split('/'), 'approve'),
    { stage: 'approval', sha },
  );
  expect(decision, 'by whoever Temporal says it was').toMatchObject({
    by: expect.stringMatching(/temporal-cli/) as string,
  });
  expect(await ask('state', 'merge-queue/web/main')).toMatchObject({ repo: 'web', base: 'main', state: 'running' });
});

test('100 identical submissions at once are one task, one workflow, one branch, one run', async () => {
  const script = JSON.stringify({ work: change('once.txt') });
  const body = {
    ...{ repo: 'web', title: 'Once', source: 'plane', externalId: 'issue-1', pipeline: SHORT },
    description: `\`\`\`agent-script\n${script}\n\`\`\`\n`,
  };
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => instance.client.send<TaskRow>('POST', at('tasks'), body)),
  );
  expect(new Set(answers.map((a) => a.task)).size).toBe(1);
  const task = answers[0]?.task ?? '';
  const done = await instance.untilTask(task, (t) => t.state === 'done');
  const runs = await instance.client.get<{ items: object[] }>(at('tasks', ...task.split('/'), 'runs'));
  expect(runs.items).toHaveLength(1);
  const query = `WorkflowId="task/${task}"`;
  expect(await instance.temporalCli('workflow', 'list', '-q', query)).toHaveLength(1);
  const heads = await demoGit(sample.remote, [
    'for-each-ref',
    '--format=%(refname)',
    'refs/signalbox/heads',
    'refs/heads',
  ]);
  expect(heads.split('\n').filter((ref) => ref.endsWith(String(done['workItem'])))).toHaveLength(1);
  expect(
    (await demoGit(sample.remote, ['log', '--format=%s', 'main'])).split('\n').filter((s) => s === 'Write once.txt'),
  ).toHaveLength(1);
});

test('a question is answered in the next prompt; not now spends nothing; used up attempts wait for a person', async () => {
  const { task } = await instance.submit(
    'Hard',
    {
      'work@1': [{ exit: 75 }],
      'work@2': [{ result: { verdict: 'needs_human', question: 'Grams or pounds?' } }],
      'work@3': [keepPrompt('hard'), { exit: 1 }],
      'work@4': [{ resultText: 'not json' }],
      'work@5': change('hard.txt'),
    },
    { pipeline: SHORT },
  );
  const asks = await instance.untilTask(task, waitsFor('answer'));
  expect(asks.waitingOn).toMatchObject({
    code: 'question',
    detail: expect.stringContaining('Grams or pounds?') as string,
  });
  expect(asks.counters).toEqual({ faults: 0, transient: 1, followUps: 0, humanWaits: 1 });
  expect((await instance.cli('task', 'explain', task)).out).toContain('Grams or pounds?');
  expect((await instance.cli('task', 'answer', task, 'Grams,', 'always')).out).toContain(task);

  const stuck = await instance.untilTask(task, (t) => t.waitingOn?.code === 'attempts');
  expect(await readFile(prompts('hard'), 'utf8')).toMatch(/Grams or pounds\?[\s\S]*Grams, always/);
  expect(stuck.counters.faults).toBe(2);
  const retried = await instance.cli('task', 'retry', task);
  expect(retried).toMatchObject({ code: 0, err: '' });
  const done = await instance.untilTask(task, (t) => t.state === 'done');
  expect(done.counters).toMatchObject({ faults: 2, transient: 1 });
  expect(await demoGit(sample.remote, ['show', 'main:hard.txt'])).toContain('work 5');
});

test('a cancel ends the agent that runs, and nothing of the task is left', async () => {
  const { task } = await instance.submit('Too long', { work: [{ waitFor: '/nonexistent' }] }, { pipeline: SHORT });
  const running = await instance.untilTask(task, (t) => t.agentRunning !== null);
  expect(running).toMatchObject({
    state: 'running',
    stage: 'work',
    agentRunning: 'worker',
    waitingOn: { kind: 'agent' },
  });
  expect((await explain(task)).chain[0]).toMatchObject({
    kind: 'agent',
    unblockedBy: expect.arrayContaining([`signalbox task cancel ${task}`]) as string[],
  });
  const began = Date.now();
  expect((await instance.cli('task', 'cancel', task, '--reason', 'Not needed')).code).toBe(0);
  const over = await instance.untilTask(task, (t) => t.state === 'cancelled');
  expect(over).toMatchObject({ waitingOn: null, landed: null, agentRunning: null });
  const ended = 'cancelled by up: Not needed';
  expect((await instance.cli('task', 'show', task)).out).toMatch(new RegExp(`\nended +${ended}\n`));
  expect((await explain(task)).chain[0]).toMatchObject({ kind: 'end', detail: ended });
  expect((await instance.cli('task', 'watch', task)).out).toBe(`${task}  cancelled  work  ${ended}`);
  expect(Date.now() - began).toBeLessThan(20_000);
  expect((await instance.cli('task', 'cancel', task)).code, 'again is the same').toBe(0);
  expect((await instance.cli('task', 'list', '--state', 'cancelled')).out).toMatch(
    /^TASK[^\n]*\nweb\/ET-\d+ +cancelled/,
  );
});

test('a change of your own: a shell script, a remote that is a path, --wait', async () => {
  const remote = path.join(instance.dir, 'mine.git');
  const work = path.join(instance.dir, 'mine');
  await demoGit(instance.dir, ['init', '-q', '--bare', '-b', 'trunk', remote]);
  await demoGit(instance.dir, ['init', '-q', '-b', 'trunk', work]);
  await demoGit(work, ['commit', '-q', '--allow-empty', '-m', 'Begin']);
  await demoGit(work, ['push', '-q', remote, 'trunk']);
  const script = 'head -1 "$SIGNALBOX_PROMPT_FILE" > "$SIGNALBOX_STAGE.txt"; echo working on "$SIGNALBOX_TASK"';
  const cli = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await instance.cli(...args);
    expect({ code, err, args }).toEqual({ code: 0, err: '', args });
    return out;
  };
  await cli('agent-profile', 'set', 'scribe', '--', 'sh', '-c', script);
  expect(await cli('agent-profile', 'list')).toMatch(/scribe +command/);
  const stages = path.join(instance.dir, 'pipeline.yaml');
  const yaml = 'stages:\n  - { name: development, kind: agent, agent: scribe }\n  - { name: merge, kind: merge }\n';
  await writeFile(stages, yaml);
  const added = await cli(
    'repo',
    'add',
    'mine',
    '--remote',
    remote,
    '--base',
    'trunk',
    '--prefix',
    'MY',
    '--check',
    'there=test -f development.txt',
    '--pipeline',
    stages,
  );
  expect(added).toMatch(/^repository +mine\nremote +/);
  expect(added).toMatch(/checks +there: test -f development\.txt/);
  expect(await cli('repo', 'list')).toMatch(/\nmine +trunk/);

  const out = await cli('task', 'submit', '--repo', 'mine', '--title', 'Say hello', '--wait');
  expect(out).toMatch(/mine\/MY-001 +(queued|running) +development/);
  expect(out).toMatch(/state +done/);
  expect(await demoGit(remote, ['show', 'trunk:development.txt'])).toContain('Say hello');
  expect(await cli('task', 'log', 'mine/MY-001')).toContain('working on mine/MY-001');
  expect(await cli('queue', 'mine')).toMatch(
    /^mine trunk {2}running\n\nnothing queued\n\nLANDED[^\n]*\nmine\/MY-001 +[0-9a-f]{10} +green/,
  );
  expect(await cli('task', 'watch', 'mine/MY-001')).toContain('done');
  const wrong = await instance.cli('task', 'submit', '--repo', 'mine', '--title', 'x', '--depends-on', 'mine/MY-404');
  expect(wrong).toMatchObject({ code: 1 });
  expect(wrong.err).toContain('dependsOn[0] "mine/MY-404": there is no such task');
});

test('all that landed is proven, and nothing is left', async () => {
  const { items } = await instance.client.get<{ items: TaskRow[] }>(at('tasks'), { repo: 'web', state: 'done' });
  await expectProvenLandings(instance, sample, items);
  await expectNothingLeft(instance, sample.remote);
  const queue = await instance.client.get<{ landed: LandingRow[] }>(`${at('repos', 'web')}/merge-queue`);
  expect(queue).toEqual({
    ...{ repo: 'web', base: 'main', state: 'running', reason: null, block: null, entries: [] },
    landed: expect.any(Array) as LandingRow[],
  });
});
