import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { cleanUpTask } from '../../../activities/agents/clean-up.js';
import { janitor } from '../../../activities/agents/janitor.js';
import { markedProcesses } from '../../../activities/agents/processes.js';
import { readShim } from '../../../activities/agents/read-records.js';
import { runFiles } from '../../../activities/agents/records.js';
import { runAgent } from '../../../activities/agents/run.js';
import { writeCloneNote } from '../../../activities/agents/task-clone.js';
import type { ScriptStep } from '../../../cli/demo/scripted-agent.js';
import { stopRun } from '../../../activities/agents/stop.js';
import type { RunReport } from '../../../domain/agents/types.js';
import { putProfile } from '../../../store/agent-profiles.js';
import { flagOf, lastScan } from '../../../store/conflicts.js';
import { getJob } from '../../../store/jobs.js';
import { runKeys } from '../../../store/run-keys.js';
import { getRun } from '../../../store/runs.js';
import { git } from '../../support/git.js';
import { sampleProfile } from '../../support/samples.js';
import { kindOf, makeAgentWorld, type AgentWorld } from '../../support/agent-host.js';

let w: AgentWorld;
beforeAll(async () => {
  w = await makeAgentWorld();
});
afterAll(() => w.end());

const log = (head: string | null): string => git(w.world.remote, 'log', '--format=%s', head ?? 'HEAD');
async function untilTrue(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error('the condition was not met in time');
    await sleep(20);
  }
}

const waiting = { development: [{ append: '../../../started', text: '{run}\n' }, { waitFor: 'go' }] };
const begin = async () => {
  const input = await w.request(waiting);
  const environment = new MockActivityEnvironment();
  const first = environment.run<[], RunReport, () => Promise<RunReport>>(() => runAgent(w.host, input));
  first.catch(() => undefined);
  const started = path.join(w.host.paths.root, 'started');
  await untilTrue(() => existsSync(started) && readFileSync(started, 'utf8').includes(input.run.runId));
  return { input, environment, first, runDir: w.host.paths.run(input.run.runId) };
};

describe('a run', () => {
  it('puts what the agent committed on the remote as the head, and stores what it came to', async () => {
    const input = await w.request(
      {
        development: [
          { write: 'docs/{workItem}.md', text: 'Hello\n' },
          { commit: 'Write it' },
          { write: 'left.txt', text: 'left\n' },
          { result: { verdict: 'pass', summary: 'Done.', usage: { inputTokens: 7, costUsd: -1, model: 'm1' } } },
        ],
      },
      { stage: { artifact: 'docs/{workItem}.md', commits: 'required' }, artifacts: ['docs/ET-001.md', 'docs/none.md'] },
    );
    const report = await w.run(input);
    expect(report).toMatchObject({ outcome: { kind: 'passed', summary: 'Done.' }, commits: 2 });
    expect(w.world.remoteRef(`refs/signalbox/heads/${input.run.workItem}`)).toBe(report.head);
    expect(log(report.head)).toBe('Keep what development left uncommitted\nWrite it\nFirst');
    expect(report.artifacts['docs/none.md']).toBeNull();
    expect(report.artifacts['docs/ET-001.md']).toBe(
      git(w.world.remote, 'rev-parse', `${report.head ?? ''}:docs/ET-001.md`),
    );
    expect(await getRun(w.db.pool, input.run.runId)).toMatchObject({
      ...{ status: 'passed', exitCode: 0, costUsd: null, costKnown: false, model: 'm1', failureClass: null },
      report,
    });
    expect((await getJob(w.db.pool, input.run.runId))?.status).toBe('done');
    expect(await w.run(input)).toEqual(report);
  });

  it('gives the agent its prompt and its variables, and none of ours', async () => {
    const input = await w.request({
      development: [{ run: ['sh', '-c', 'env; cat "$SIGNALBOX_PROMPT_FILE"; git fetch origin && exit 9; true'] }],
    });
    await w.run(input);
    const out = readFileSync(runFiles(w.host.paths.run(input.run.runId)).out, 'utf8');
    for (const part of [`SIGNALBOX_TASK=web/${input.run.workItem}`, 'MODEL_KEY=k', 'SIGNALBOX_BASE=main', 'Please.']) {
      expect(out).toContain(part);
    }
    expect(out).not.toContain('sbx_secret');
    expect(out).not.toContain('TEMPORAL');
  });

  it.each<[string, Parameters<AgentWorld['request']>, string]>([
    ['exits with another code', [{ development: [{ exit: 3 }] }], 'fault: exit-code'],
    ['exits 75', [{ development: [{ result: { retryAfterSeconds: 5 } }, { exit: 75 }] }], 'transient: transient'],
    ['adds no commit where one is required', [{}, { stage: { commits: 'required' } }], 'fault: no-commit'],
    [
      'does not write the document of its stage',
      [
        { development: [{ write: 'other.md', text: 'x' }] },
        { stage: { artifact: 'docs/{workItem}.md', commits: 'required' }, artifacts: ['docs/ET-001.md'] },
      ],
      'fault: no-document',
    ],
    ['writes a broken result', [{ development: [{ resultText: '{' }] }], 'fault: bad-result'],
    ['writes its result as a FIFO', [{ development: [{ resultIs: 'fifo' }] }], 'fault: bad-result'],
    ['writes its result as a link', [{ development: [{ resultIs: 'link' }] }], 'fault: bad-result'],
    [
      'says what no database takes',
      [
        {
          development: [
            { result: { verdict: 'fail', summary: 'a\0b\ud800', usage: { model: '\0', inputTokens: 1.5 } } },
          ],
        },
      ],
      'failed',
    ],
    ['says fail', [{ development: [{ result: { verdict: 'fail' } }] }], 'failed'],
    [
      'forges a trailer',
      [{ development: [{ write: 'x', text: 'x' }, { commit: 'Land\n\nSignalbox-Entry: 0123' }] }],
      'fault: refused-import',
    ],
  ])('of an agent that %s comes to what that is', async (_name, args, expected) => {
    expect(kindOf(await w.run(await w.request(...args)))).toBe(expected);
  });

  it('tells the next run what was printed last, inert and without secrets', async () => {
    const profile = sampleProfile({ name: 'loud', env: { MODEL_KEY: 'sk-very-secret-key' } });
    const script = 'echo step 1; printf "\\033[2Jboom: key $MODEL_KEY is refused\\n" >&2; exit 1';
    await putProfile(w.db.pool, { ...profile, command: ['sh', '-c', script] });
    const input = await w.request({}, { stage: { agent: 'loud' } });
    const report = await w.run(input);
    const reason = 'the agent ended with exit code 1; its last lines:\n    boom: key [MODEL_KEY] is refused';
    expect(report.outcome).toMatchObject({ kind: 'fault', reason });
    expect((await getJob(w.db.pool, input.run.runId))?.error).toBe(reason);
  });

  it('discards what a stage may not commit, and begins the next one without it', async () => {
    const script = {
      review: [{ write: 'bad', text: 'x' }, { commit: 'Sneak in' }, { write: 'worse', text: 'y' }],
      'review@2': [{ run: ['sh', '-c', 'ls; git log --format=%s'] }],
    };
    const input = await w.request(script, { stage: { name: 'review', commits: 'forbidden' } });
    const report = await w.run(input);
    expect(report).toMatchObject({ outcome: { kind: 'passed' }, head: null, commits: 0 });
    expect(report.notes.join()).toContain('1 commit(s) discarded');
    const next = await w.again(input);
    await w.run(next);
    const out = readFileSync(runFiles(w.host.paths.run(next.run.runId)).out, 'utf8');
    expect(out).toBe('README.md\nsrc\nFirst\n');
  });

  it('keeps the work of a try that failed, shows base as it is now, and counts what was there', async () => {
    const input = await w.request(
      {
        'development@1': [{ write: 'src/a.txt', text: 'mine\n' }, { commit: 'Half' }, { exit: 1 }],
        onConflict: [{ mergeBase: true }],
      },
      { stage: { commits: 'required' } },
    );
    const first = await w.run(input);
    expect(kindOf(first)).toBe('fault: exit-code');
    w.world.personPush({ 'src/a.txt': 'theirs\n' });
    rmSync(path.join(w.host.paths.clone('web', input.run.workItem), '.git', 'HEAD'));
    const second = await w.run(await w.again(input, { head: first.head }));
    expect(kindOf(second)).toBe('transient: host-lost');
    const conflict = { kind: 'conflict' as const, base: 'main', paths: ['src/a.txt'], hunks: '<<<' };
    const third = await w.again(input, { head: first.head, feedback: [conflict] });
    const again = await w.again(third, { head: first.head, feedback: [conflict] });
    expect(kindOf(await w.run(again))).toBe('passed');
    const head = w.world.remoteRef(`refs/signalbox/heads/${input.run.workItem}`);
    expect(git(w.world.remote, 'show', `${head}:src/a.txt`)).toBe('mine\ntheirs');
    expect(git(w.world.remote, 'merge-base', '--is-ancestor', 'main', head)).toBe('');
  });
});

it('a new head is looked at as soon as it is there, and what it does not merge with is named to the next run', async () => {
  // Of its own: no other heads to look at, and no look of another test that is still on its way.
  const own = await makeAgentWorld();
  onTestFinished(() => own.end());
  // A run waits only so long for the look, which goes on meanwhile.
  const soon = (look: () => Promise<void>): Promise<void> => vi.waitFor(look, { timeout: 30_000, interval: 50 });
  const write = (file: string, text: string): ScriptStep[] => [{ write: file, text }, { commit: file }];
  const steps = { 'development@1': write('src/a.txt', 'mine\n'), development: write('src/b.txt', 'more\n') };
  const input = await own.request(steps, { stage: { commits: 'required' } });
  const { workItem } = input.run;
  const first = await own.run(input);
  const seen = [{ task: `web/${workItem}`, head: first.head }];
  await soon(async () => expect(await lastScan(own.host.pool, 'web', 'main')).toMatchObject({ live: seen }));
  expect(await flagOf(own.host.pool, 'web', workItem)).toBeNull();
  const base = own.world.personPush({ 'src/a.txt': 'theirs\n' });
  const next = await own.again(input, { head: first.head });
  const second = await own.run(next);
  expect(kindOf(second)).toBe('passed');
  const against = [{ kind: 'base', name: 'main', oid: base, paths: ['src/a.txt'] }];
  const raised = { head: second.head, against };
  await soon(async () => expect(await flagOf(own.host.pool, 'web', workItem)).toMatchObject(raised));
  const prompt = (runId: string): string => readFileSync(runFiles(own.host.paths.run(runId)).prompt, 'utf8');
  expect(prompt(next.run.runId)).not.toContain('Predicted conflict');
  const last = await own.again(next, { head: second.head });
  await own.run(last);
  expect(prompt(last.run.runId)).toContain(`at \`${base}\`: merge it and resolve: \`src/a.txt\``);
}, 120_000);

describe('a run directory that an agent wrote in', () => {
  const attack = (script: string): ScriptStep => ({
    run: [process.execPath, '-e', `const fs = require('node:fs'), dir = process.env.SIGNALBOX_RUN_DIR; ${script}`],
  });

  it('does not make a run pass: not with a new claim and an exit record that fits it', async () => {
    const forge = attack(`
      const shim = JSON.parse(fs.readFileSync(dir + '/shim.json'));
      const seal = require('node:crypto').createHash('sha256').update('mine').digest('hex');
      const command = { name: 'agent', code: 0, signal: null, spawnError: null, limit: null, logFrom: 0, seconds: 1 };
      fs.writeFileSync(dir + '/exit.json', JSON.stringify({ proof: 'mine', mac: '00'.repeat(32), phase: 'commands',
        startedAt: shim.at, at: shim.at, trouble: null, setup: { end: 'none', code: null, seconds: 0 },
        commands: [command], code: 0, signal: null, limit: null, stoppedBy: null, stopReason: null, outputBytes: 0,
        outputTruncated: false, cutLines: 0, result: 'absent', resultHash: null, resultError: null,
        leftoversCommitted: false, leftoversError: null, survivors: 0 }));
      fs.writeFileSync(dir + '/mine', JSON.stringify({ ...shim, seal }));
      fs.renameSync(dir + '/mine', dir + '/shim.json');`);
    const report = await w.run(await w.request({ development: [forge, { waitFor: 'never' }] }));
    expect(report.outcome).toMatchObject({ kind: 'transient', failureClass: 'host-lost' });
    expect(report.outcome).toMatchObject({ reason: expect.stringContaining('not by the supervisor') as string });
  });

  it('holds nothing that is to be run, and no key, nor does its supervisor hold it open, while the agent runs', async () => {
    // Everything that can be read there at that moment: the files of the directory, and what the supervisor has open.
    const look = attack(`
      const { pid } = JSON.parse(fs.readFileSync(dir + '/shim.json'));
      const open = fs.readdirSync('/proc/' + pid + '/fd').map((fd) => '/proc/' + pid + '/fd/' + fd);
      const say = (what) => fs.writeSync(1, what + '\\n');
      for (const file of [...open, ...fs.readdirSync(dir).map((name) => dir + '/' + name)]) {
        try {
          say('looked at ' + file + (open.includes(file) ? ' -> ' + fs.readlinkSync(file) : ''));
          if (fs.statSync(file).isFile()) say(fs.readFileSync(file, 'utf8'));
        } catch (err) {
          if (err.code !== 'ENOENT') throw err;
        }
      }`);
    const input = await w.request({ development: [look] });
    expect(kindOf(await w.run(input))).toBe('passed');
    const [known, ...others] = await runKeys(w.db.pool, input.run.runId);
    expect([known?.facts, others]).toMatchObject([{ start: w.world.base(), base: w.world.base() }, []]);
    const seen = readFileSync(runFiles(w.host.paths.run(input.run.runId)).out, 'utf8');
    const looks = seen.split('\n').filter((line) => line.startsWith('looked at '));
    expect(looks.filter((line) => line.includes('/fd/')).length, 'files that the supervisor has open').toBeGreaterThan(
      3,
    );
    expect(looks.filter((line) => line.endsWith('/shim.json'))).toHaveLength(1);
    expect(looks.filter((line) => /spec|warrant|nameless/.test(line))).toEqual([]);
    expect(seen).not.toContain(known?.key ?? '');
    expect(seen, 'the argv of the run, which the warrant holds').not.toContain('wallMs');
  });

  it('is of no use to hold up the worker: not before a run, not in it, not after it', async () => {
    const plant = attack(`
      const { execFileSync } = require('node:child_process');
      const names = ['exit.json', 'stop', 'result.json', 'err.log'];
      for (const name of names) execFileSync('sh', ['-c', 'rm -f $1; mkfifo $1', 'sh', dir + '/' + name]);
      fs.rmSync(dir + '/out.jsonl');
      fs.symlinkSync('out.jsonl', dir + '/out.jsonl');
      fs.writeFileSync('planted', '');`);
    const input = await w.request({
      development: [plant, { waitFor: 'go' }, { result: { verdict: 'fail' } }],
      'development@2': [],
    });
    const runDir = w.host.paths.run(input.run.runId);
    const clone = w.host.paths.clone('web', input.run.workItem);
    mkdirSync(runDir, { recursive: true });
    for (const name of ['shim.log', 'out.jsonl']) execFileSync('mkfifo', [path.join(runDir, name)]);
    mkdirSync(path.join(runDir, 'base.bundle.lock'));
    mkdirSync(path.dirname(clone), { recursive: true });
    execFileSync('mkfifo', [`${clone}.json`]);
    const first = w.run(input);
    first.catch(() => undefined);
    await untilTrue(() => existsSync(path.join(clone, 'planted')));
    // The next worker attaches; its first heartbeat tells the size of the log.
    const second = w.run(input);
    await janitor(w.host);
    writeFileSync(path.join(clone, 'go'), '');
    expect(kindOf(await second)).toBe('failed');
    await Promise.allSettled([first]);
    execFileSync('sh', [
      '-c',
      'rm "$1"; mkfifo "$1"; rm "$2"; echo null > "$2"',
      'sh',
      runFiles(runDir).exit,
      `${clone}.json`,
    ]);
    expect(kindOf(await w.run(await w.again(input)))).toBe('passed');
    await cleanUpTask(w.host, 'web', input.run.workItem);
    expect(readdirSync(runDir).sort()).toEqual(['shim.json', 'shim.log']);
  });

  it.each([
    ['takes the claim away', `fs.unlinkSync(dir + '/shim.json')`],
    [
      'takes the claim away and kills its supervisor',
      `fs.unlinkSync(dir + '/shim.json'); process.kill(pid, 'SIGKILL')`,
    ],
    ['takes the whole directory away', `fs.renameSync(dir, dir + '.elsewhere'); process.kill(pid, 'SIGKILL')`],
    ['kills its supervisor and says {}', `process.kill(pid, 'SIGKILL'); fs.writeFileSync(dir + '/exit.json', '{}')`],
  ])('does not make a run endless: an agent that %s is lost, with its processes', async (_name, script) => {
    const how = attack(`const { pid } = JSON.parse(fs.readFileSync(dir + '/shim.json')); ${script}`);
    const input = await w.request({ development: [{ daemon: true }, how, { waitFor: 'never' }] });
    const runDir = w.host.paths.run(input.run.runId);
    expect(kindOf(await w.run(input))).toBe('transient: host-lost');
    expect(markedProcesses().get(runDir) ?? []).toEqual([]);
    expect((await getRun(w.db.pool, input.run.runId))?.status).toBe('lost');
  });

  it('without a claim is that of a run which was started, if it was: nothing starts it anew', async () => {
    const { input, first, runDir } = await begin();
    rmSync(runFiles(runDir).shim);
    const second = w.run(input);
    expect(kindOf(await second)).toBe('transient: host-lost');
    await Promise.allSettled([first]);
    const starts = readFileSync(path.join(w.host.paths.root, 'started'), 'utf8').split('\n');
    expect(starts.filter((line) => line === input.run.runId)).toHaveLength(1);
  });

  it('does not say where the commits of a run are counted from', async () => {
    const input = await w.request({}, { stage: { commits: 'forbidden' } });
    await w.run(input);
    const first = git(w.world.remote, 'rev-list', '--max-parents=0', 'main');
    w.world.personPush({ 'src/later.txt': 'later\n' });
    // Beside the clone, and in the place of what the next run is given.
    await writeCloneNote(w.host, 'web', input.run.workItem, {
      ...{ generation: 1, base: w.world.base(), head: first, setUp: true },
    });
    const next = await w.again(input, { stage: { ...input.stage, commits: 'required' } });
    const spec = { git: { start: first, baseOid: first }, commands: [{ name: 'agent', command: ['true'] }] };
    mkdirSync(w.host.paths.run(next.run.runId), { recursive: true });
    writeFileSync(path.join(w.host.paths.run(next.run.runId), 'spec.json'), JSON.stringify(spec));
    expect(kindOf(await w.run(next))).toBe('fault: no-commit');
  });
});

describe('a run that is interrupted', () => {
  it('by a shutdown of its worker goes on, and the next attempt sees its end', async () => {
    const { input, environment, first, runDir } = await begin();
    environment.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
    await expect(first).rejects.toThrow('WORKER_SHUTDOWN');
    expect(markedProcesses().get(runDir)?.length).toBeGreaterThan(0);
    writeFileSync(path.join(w.host.paths.clone('web', input.run.workItem), 'go'), '');
    expect(kindOf(await w.run(input))).toBe('passed');
    const starts = readFileSync(path.join(w.host.paths.root, 'started'), 'utf8').split('\n');
    expect(starts.filter((line) => line === input.run.runId)).toHaveLength(1);
  });

  it('by a stop ends within a moment and says so', async () => {
    const { input, first, runDir } = await begin();
    await stopRun(w.host, input.run.runId, 'cancelled by ana');
    expect(await first).toMatchObject({ outcome: { kind: 'stopped', reason: 'cancelled by ana' } });
    expect((await getRun(w.db.pool, input.run.runId))?.status).toBe('stopped');
    expect(markedProcesses().get(runDir) ?? []).toEqual([]);
  });

  it('by the death of its supervisor is lost, spends nothing and leaves no process', async () => {
    const { input, first, runDir } = await begin();
    process.kill(readShim(runDir)?.pid ?? 0, 'SIGKILL');
    expect(kindOf(await first)).toBe('transient: host-lost');
    expect((await getRun(w.db.pool, input.run.runId))?.status).toBe('lost');
    expect(markedProcesses().get(runDir) ?? []).toEqual([]);
  });

  it('by a supervisor that is held up ends at its limit all the same', async () => {
    const { first, runDir } = await begin();
    process.kill(readShim(runDir)?.pid ?? 0, 'SIGSTOP');
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 2 * 3_600_000);
    expect(kindOf(await first)).toBe('fault: wall-limit');
    clock.mockRestore();
    expect(markedProcesses().get(runDir) ?? []).toEqual([]);
  });

  it('before it began never begins', async () => {
    const input = await w.request(waiting);
    await stopRun(w.host, input.run.runId, 'not any more');
    expect(kindOf(await w.run(input))).toBe('stopped');
    expect(existsSync(runFiles(w.host.paths.run(input.run.runId)).out)).toBe(false);
  });

  it('by an attempt that came later stores nothing', async () => {
    const { input, first } = await begin();
    const second = w.run(input);
    writeFileSync(path.join(w.host.paths.clone('web', input.run.workItem), 'go'), '');
    const [older, newer] = await Promise.allSettled([first, second]);
    expect(newer).toMatchObject({ status: 'fulfilled', value: { outcome: { kind: 'passed' } } });
    // It may find the result of the newer one stored, but never stores its own.
    if (older.status === 'rejected') expect(String(older.reason)).toContain('another attempt owns the run');
    expect((await getRun(w.db.pool, input.run.runId))?.fence).toBe(2);
  });

  it('by its row being given up is ended by the janitor', async () => {
    const { input, first, runDir } = await begin();
    await w.db.pool.query(`UPDATE agent_runs SET status = 'lost' WHERE id = $1`, [input.run.runId]);
    await w.db.pool.query(`UPDATE jobs SET status = 'failed' WHERE run_id = $1`, [input.run.runId]);
    const query = vi.spyOn(w.host.pool, 'query');
    expect((await janitor(w.host)).ended).toContain(input.run.runId);
    expect(readdirSync(w.host.paths.runs).length).toBeGreaterThan(5);
    const asked = query.mock.calls.filter(([text]) => text.includes('FULL JOIN'));
    query.mockRestore();
    expect(asked, 'one question for all run directories').toHaveLength(1);
    expect(markedProcesses().get(runDir) ?? []).toEqual([]);
    await expect(first).rejects.toThrow('another attempt owns the run');
  });
});

it('without a profile of that name or `default` is a fault that names the command', async () => {
  const { rows } = await w.db.pool.query<{ profile: unknown }>('DELETE FROM agent_profiles RETURNING profile');
  const report = await w.run(await w.request({}));
  expect(report.outcome).toMatchObject({ kind: 'fault', failureClass: 'profile-missing' });
  await w.db.pool.query(`INSERT INTO agent_profiles (name, profile) VALUES ('default', $1)`, [rows[0]?.profile]);
});

it('sweeping goes on after a directory that it cannot look after, and tells of it', async () => {
  // Too long a name to be moved aside, a FIFO, and a link that leads out.
  const kept = path.join(w.world.root, 'kept');
  mkdirSync(kept);
  writeFileSync(path.join(kept, 'file'), '');
  const [long, fifo, link] = ['a'.repeat(255), 'b', 'web.ET-001.g1.c.1'];
  mkdirSync(w.host.paths.run(long));
  execFileSync('mkfifo', [w.host.paths.run(fifo)]);
  symlinkSync(kept, w.host.paths.run(link));
  const later = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 20 * 60_000);
  const report = await janitor(w.host);
  later.mockRestore();
  expect(report.troubles).toEqual([{ at: long, error: expect.stringContaining('ENAMETOOLONG') as string }]);
  expect(report.removed).toEqual(expect.arrayContaining([w.host.paths.run(fifo), w.host.paths.run(link)]));
  expect([existsSync(w.host.paths.run(fifo)), readdirSync(kept)]).toEqual([false, ['file']]);
  rmSync(w.host.paths.run(long), { recursive: true });
});

it('cleaning up a task takes everything but the logs, whatever its permissions', async () => {
  const input = await w.request({
    development: [{ run: ['sh', '-c', 'mkdir -p d/e && cd d && seq 3000 | xargs touch && cd .. && chmod 000 d'] }],
  });
  await w.run(input);
  // A worker died while it made the clone.
  const halfMade = `${w.host.paths.clone('web', input.run.workItem)}.6f.new`;
  mkdirSync(halfMade);
  await cleanUpTask(w.host, 'web', input.run.workItem);
  expect(existsSync(halfMade)).toBe(false);
  expect(existsSync(w.host.paths.clone('web', input.run.workItem))).toBe(false);
  expect(readdirSync(w.host.paths.run(input.run.runId)).sort()).toEqual([
    'err.log',
    'exit.json',
    'out.jsonl',
    'shim.json',
    'shim.log',
  ]);
  await cleanUpTask(w.host, 'web', input.run.workItem);
});
