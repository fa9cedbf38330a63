import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { ExitRecord } from '../../../domain/agents/exit.js';
import { markedProcesses, processFacts, bootId, killTree } from '../../../activities/agents/processes.js';
import { readShim } from '../../../activities/agents/read-records.js';
import { runFiles, writeOnce } from '../../../activities/agents/records.js';
import { declareLost, probe, startOrAttach, stop, waitForEnd } from '../../../activities/agents/supervisor.js';
import { BASE_ENV, testRun, type TestRun } from '../../support/runs.js';

const runs: TestRun[] = [];
const make = (...args: Parameters<typeof testRun>): TestRun => {
  const run = testRun(...args);
  runs.push(run);
  return run;
};
afterEach(async () => {
  for (const run of runs.splice(0)) {
    await killTree(run.runDir);
    rmSync(run.root, { recursive: true, force: true });
  }
});

const start = (run: TestRun) => startOrAttach(run.runDir, run.spec, BASE_ENV);
async function runToEnd(run: TestRun, ms = 40_000): Promise<ExitRecord> {
  await start(run);
  const end = await waitForEnd(run.runDir, ms);
  if (end.state !== 'exited') throw new Error(`${end.state}: ${readFileSync(runFiles(run.runDir).shimLog, 'utf8')}`);
  return end.exit;
}
async function met(what: () => boolean, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!what()) {
    if (Date.now() > deadline) throw new Error('the condition was not met in time');
    await sleep(20);
  }
}
const left = (run: TestRun): number =>
  (markedProcesses().get(run.runDir) ?? []).filter((pid) => pid !== readShim(run.runDir)?.pid).length;

describe('output', () => {
  it('is kept apart by stream, whatever bytes it holds', async () => {
    const run = make(`process.stdout.write(Buffer.from([0xff, 0, 0xef, 0xbb, 0xbf, 13, 10, 65]));
      require('node:fs').writeFileSync('/dev/stderr', 'to the pipe by name');`);
    const exit = await runToEnd(run);
    expect(exit).toMatchObject({ code: 0, outputBytes: 27, outputTruncated: false, cutLines: 0 });
    expect([...readFileSync(runFiles(run.runDir).out)]).toEqual([0xff, 0, 0xef, 0xbb, 0xbf, 13, 10, 65]);
    expect(readFileSync(runFiles(run.runDir).err, 'utf8')).toBe('to the pipe by name');
  });

  it('is stored up to its limit, in bounded memory, while the command goes on', async () => {
    const run = make('', {
      command: { command: ['sh', '-c', 'yes 0123456789 | head -c 1000000000; echo done > done; exit 3'] },
      output: { bytes: 5_000_000, streams: 'split' },
    });
    await start(run);
    const shim = readShim(run.runDir)?.pid ?? 0;
    let peak = 0;
    await met(() => {
      if (existsSync(`/proc/${shim}/status`)) {
        const status = readFileSync(`/proc/${shim}/status`, 'utf8');
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      }
      return probe(run.runDir).state === 'exited';
    }, 30_000);
    expect(probe(run.runDir)).toMatchObject({ exit: { code: 3, outputTruncated: true, outputBytes: 1_000_000_000 } });
    expect(statSync(runFiles(run.runDir).out).size).toBeLessThan(5_001_000);
    expect(existsSync(path.join(run.cwd, 'done'))).toBe(true);
    expect(peak).toBeLessThan(250_000);
  });

  it('has its lines cut at 8 MiB', async () => {
    const run = make('', {
      command: { command: ['sh', '-c', 'head -c 200000000 /dev/zero; echo; echo the next line'] },
    });
    expect(await runToEnd(run)).toMatchObject({ code: 0, cutLines: 1, outputTruncated: false });
    const text = readFileSync(runFiles(run.runDir).out, 'latin1');
    expect(text.length).toBeLessThan(9_000_000);
    expect(text.endsWith('[signalbox: line cut]\nthe next line\n')).toBe(true);
  });
});

describe('the end of a run', () => {
  it('leaves no process: daemons, double forks, sessions, cleared environments', async () => {
    const run = make('', {
      command: {
        command: [
          'bash',
          '-c',
          `setsid sleep 300 & (setsid nohup sleep 301 & ) & (sleep 302 & disown) ;
           setsid bash -c 'echo $$ > bare; exec env -i sleep 303' & sleep 1.6; exit 4`,
        ],
      },
    });
    expect(await runToEnd(run)).toMatchObject({ code: 4, survivors: 0 });
    expect(left(run)).toBe(0);
    const bare = processFacts(Number(readFileSync(path.join(run.cwd, 'bare'), 'utf8')));
    expect(bare === null || bare.zombie).toBe(true);
  });

  it('comes at the wall clock limit, also for a command that ignores SIGTERM, while no worker looks', async () => {
    const run = make(`process.on('SIGTERM', () => {}); setInterval(() => console.log('busy'), 50)`, {
      command: { wallMs: 500, stallMs: 60_000 },
    });
    const begun = Date.now();
    expect(await runToEnd(run)).toMatchObject({ limit: 'wall', signal: 'SIGKILL' });
    expect(Date.now() - begun).toBeLessThan(9_000);
    expect(left(run)).toBe(0);
  });

  it('comes after too long a silence', async () => {
    const run = make(`console.log('once'); setInterval(() => {}, 1000)`, { command: { stallMs: 400 } });
    expect(await runToEnd(run)).toMatchObject({ limit: 'stall', signal: 'SIGTERM' });
  });

  it('comes within a moment of a stop request, which is told apart from every other end', async () => {
    const run = make('setInterval(() => {}, 1000)');
    await start(run);
    const begun = Date.now();
    const end = await stop(run.runDir, run.spec, 'a person cancelled');
    expect(end).toMatchObject({ state: 'exited', exit: { stoppedBy: 'request', stopReason: 'a person cancelled' } });
    expect(Date.now() - begun).toBeLessThan(3_000);
  });

  it('comes at its limit whatever lies where a stop request would', async () => {
    for (const plant of ['mkfifo', 'mkdir', 'ln -s /dev/zero']) {
      const run = make('', { command: { command: ['sh', '-c', `${plant} $SIGNALBOX_RUN_DIR/stop; exec sleep 300`] } });
      for (const command of run.spec.commands) command.wallMs = 300;
      expect(await runToEnd(run, 10_000), plant).toMatchObject({ limit: 'wall', stoppedBy: null });
    }
  });

  it('is what the supervisor wrote, whatever lay in its place before', async () => {
    const plant = [
      ...['mkfifo exit.json', 'mkdir exit.json', 'ln -s exit.json exit.json', 'ln -s /dev/zero exit.json'],
      ...[
        'truncate -s 5T exit.json',
        'echo {} > exit.json',
        'echo null > exit.json',
        'echo \'{"proof":1}\' > exit.json',
      ],
      ...['head -c 900000 /dev/zero | tr "\\0" "[" > exit.json', 'mkfifo out.jsonl.1 result.json; mkdir exit.json'],
    ].map((step) => `rm -rf exit.json; ${step}; sleep 0.3`);
    const run = make('', { command: { command: ['sh', '-c', `cd $SIGNALBOX_RUN_DIR; ${plant.join('; ')}; exit 4`] } });
    expect(await runToEnd(run, 20_000)).toMatchObject({ code: 4 });
  });

  it('says which command could not be started', async () => {
    const run = make('', { command: { command: ['./no-such-agent'] } });
    expect(await runToEnd(run)).toMatchObject({ code: null, commands: [{ spawnError: 'ENOENT' }] });
  });
});

describe('identity', () => {
  it('never starts what was stopped or declared lost before', async () => {
    for (const bury of [stop, declareLost]) {
      const run = make(`require('node:fs').writeFileSync('ran', '')`);
      await bury(run.runDir, run.spec, 'not wanted');
      expect(await start(run)).toEqual({ state: 'lost', reason: 'not wanted' });
      expect(existsSync(path.join(run.cwd, 'ran'))).toBe(false);
    }
  });

  it.each([
    ['gone', 'rm shim.json'],
    ['gone with its directory', 'rm -r $SIGNALBOX_RUN_DIR'],
    ['a FIFO', 'rm shim.json; mkfifo shim.json'],
    ['a link that leads nowhere', 'ln -sf nowhere shim.json'],
    ['another one', 'echo {} > shim.json'],
    ['full of wrong numbers', `sed -i 's/"pid": .*/"pid": 1e999,/' shim.json`],
  ])('is lost when its claim is %s, and what it started ends', async (_name, script) => {
    const run = make('', { command: { command: ['sh', '-c', `cd $SIGNALBOX_RUN_DIR; ${script}; exec sleep 300`] } });
    await start(run);
    expect(await waitForEnd(run.runDir, 10_000)).toMatchObject({ state: 'lost' });
    expect(await stop(run.runDir, run.spec, 'it is lost')).toMatchObject({ state: 'lost' });
    expect(markedProcesses().get(run.runDir) ?? []).toEqual([]);
    expect(await start(run)).toMatchObject({ state: 'lost' });
  });

  it('takes no other process for the supervisor because of its pid, and does not signal it', async () => {
    const run = make('');
    mkdirSync(run.runDir, { recursive: true });
    const other = { pid: process.pid, startTime: '1', bootId: bootId(), runId: run.spec.runId };
    const claim = { ...other, tombstone: false, attempt: 1, fence: 1, seal: '', reason: null, at: '' };
    expect(writeOnce(runFiles(run.runDir).shim, JSON.stringify(claim))).toBe(true);
    expect(probe(run.runDir).state).toBe('lost');
    expect((await stop(run.runDir, run.spec, 'stop')).state).toBe('lost');
  });

  it('is lost when the command kills its supervisor, also if it then claims success', async () => {
    const run = make(`
      const fs = require('node:fs'), dir = ${JSON.stringify('RUN')};
      const { pid } = JSON.parse(fs.readFileSync(dir + '/shim.json'));
      process.kill(pid, 'SIGKILL');
      fs.writeFileSync(dir + '/exit.json', JSON.stringify({ proof: 'mine', code: 0, phase: 'commands' }));
      setInterval(() => {}, 1000);`);
    const [agent] = run.spec.commands;
    if (agent?.command[2] !== undefined)
      agent.command[2] = agent.command[2].replace('"RUN"', JSON.stringify(run.runDir));
    await start(run);
    expect(await waitForEnd(run.runDir, 10_000)).toMatchObject({ state: 'lost' });
    expect(left(run)).toBeGreaterThan(0);
    expect(await declareLost(run.runDir, run.spec, 'lost')).toBe(0);
    expect(left(run)).toBe(0);
  });
});

it('gives a command the environment it was given and nothing else', async () => {
  process.env.SIGNALBOX_TEST_SECRET = 'sbx_secret';
  const run = make(`console.log(JSON.stringify(process.env))`);
  await runToEnd(run);
  const env = JSON.parse(readFileSync(runFiles(run.runDir).out, 'utf8')) as Record<string, string>;
  expect(Object.keys(env).sort()).toEqual(['HOME', 'LANG', 'PATH', 'SIGNALBOX_RUN', 'SIGNALBOX_RUN_DIR']);
});

describe('the result file', () => {
  const withResult = (script: string): TestRun => {
    const run = make('', { result: true });
    const [agent] = run.spec.commands;
    if (agent !== undefined) agent.command = ['sh', '-c', script.replaceAll('$DIR', runFiles(run.runDir).agentDir)];
    return run;
  };

  it('is copied as it is', async () => {
    const run = withResult(`echo '{"verdict":"pass"}' > $DIR/result.json`);
    expect(await runToEnd(run)).toMatchObject({ result: 'copied' });
    expect(readFileSync(runFiles(run.runDir).result, 'utf8')).toBe('{"verdict":"pass"}\n');
    expect(await runToEnd(withResult('true'))).toMatchObject({ result: 'absent' });
  });

  it.each([
    ['a FIFO', 'mkfifo $DIR/result.json'],
    ['a link', 'ln -s /etc/passwd $DIR/result.json'],
    ['a directory', 'mkdir $DIR/result.json'],
    ['too large', 'truncate -s 5G $DIR/result.json'],
    ['in a directory that became a link', 'rmdir $DIR; mkdir $DIR.x; echo {} > $DIR.x/result.json; ln -s $DIR.x $DIR'],
  ])('is refused when it is %s', async (_name, script) => {
    const run = withResult(script);
    expect(await runToEnd(run, 10_000)).toMatchObject({ code: 0, result: 'refused' });
    expect(existsSync(runFiles(run.runDir).result)).toBe(false);
  });
});

describe('setup', () => {
  const withSetup = (script: string, cacheDir: string, timeoutMs = 30_000): TestRun => {
    const run = make(`process.exit(require('node:fs').existsSync('modules/a') ? 0 : 9)`);
    writeFileSync(path.join(run.cwd, 'lock'), 'one');
    const env = { ...BASE_ENV, SIGNALBOX_RUN: run.spec.runId };
    run.spec.setup = {
      command: ['sh', '-c', script],
      env,
      timeoutMs,
      cache: ['modules'],
      cacheKey: ['lock'],
      cacheDir,
    };
    return run;
  };
  const script = 'mkdir -p modules && echo a > modules/a && echo ran';

  it('runs once for the same key files and is restored from its cache after that', async () => {
    const cacheDir = mkdtempSync(path.join(tmpdir(), 'signalbox-cache-'));
    expect(await runToEnd(withSetup(script, cacheDir))).toMatchObject({ code: 0, setup: { end: 'ran' } });
    expect(await runToEnd(withSetup(script, cacheDir))).toMatchObject({ code: 0, setup: { end: 'cached' } });
    const changed = withSetup(script, cacheDir);
    writeFileSync(path.join(changed.cwd, 'lock'), 'two');
    expect(await runToEnd(changed)).toMatchObject({ code: 0, setup: { end: 'ran' } });
    const escaping = withSetup(script, cacheDir);
    symlinkSync('/etc', path.join(escaping.cwd, 'out'));
    if (escaping.spec.setup !== null) escaping.spec.setup.cache = ['out/x', '../y'];
    expect(await runToEnd(escaping)).toMatchObject({ setup: { end: 'ran' } });
    rmSync(cacheDir, { recursive: true });
  });

  it('that puts something in the place of the logs does not keep the command from running', async () => {
    const run = withSetup(
      `cd $SIGNALBOX_RUN_DIR; mkfifo out.jsonl; ln -s /nowhere/x err.log; mkdir .git-output`,
      '/nowhere',
    );
    const [agent] = run.spec.commands;
    if (agent !== undefined) agent.command = ['sh', '-c', 'echo out; echo err >&2'];
    expect(await runToEnd(run, 10_000)).toMatchObject({ code: 0, outputBytes: 8 });
    const { out, err } = runFiles(run.runDir);
    expect([readFileSync(out, 'utf8'), readFileSync(err, 'utf8')]).toEqual(['out\n', 'err\n']);
  });

  it('that fails or takes too long ends the run before its command', async () => {
    const failed = await runToEnd(withSetup('exit 5', '/nowhere'));
    expect(failed).toMatchObject({ phase: 'setup', commands: [], setup: { end: 'failed', code: 5 } });
    const late = await runToEnd(withSetup('sleep 60', '/nowhere', 300));
    expect(late).toMatchObject({ phase: 'setup', commands: [], setup: { end: 'timeout' } });
  });
});

describe('the clone', () => {
  const git = (cwd: string, ...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@t', ...args], { cwd, encoding: 'utf8' }).trim();
  const inClone = (script: string): TestRun & { start: string } => {
    const run = make('', { command: { command: ['bash', '-c', script] } });
    git(run.cwd, 'init', '-q', '-b', 'main');
    writeFileSync(path.join(run.cwd, 'a.txt'), 'one\n');
    git(run.cwd, 'add', '.');
    git(run.cwd, 'commit', '-qm', 'first');
    const from = git(run.cwd, 'rev-parse', 'HEAD');
    const leftovers = {
      message: 'Keep what development left',
      name: 'Signalbox Agent',
      email: 'agent@signalbox.invalid',
    };
    run.spec.git = { bundle: null, base: 'main', baseOid: from, branch: 'signalbox/ET-001', start: from, leftovers };
    return { ...run, start: from };
  };

  it('has what was left uncommitted committed for the agent, and starts the next run clean', async () => {
    const run = inClone('echo two >> a.txt; echo new > b.txt; touch .git/index.lock');
    writeFileSync(path.join(run.cwd, '.git/index.lock'), '');
    writeFileSync(path.join(run.cwd, 'junk'), '');
    expect(await runToEnd(run)).toMatchObject({ code: 0, leftoversCommitted: true, leftoversError: null });
    expect(git(run.cwd, 'log', '--format=%s %an', 'signalbox/ET-001')).toBe(
      'Keep what development left Signalbox Agent\nfirst T',
    );
    expect(git(run.cwd, 'show', '--stat', '--format=', 'HEAD')).not.toContain('junk');
  });

  it('is given back also when its refs lead round and round, and to other directories', async () => {
    const run = inClone(
      'ln -s . .git/refs/a; ln -s . .git/refs/b; ln -s "$PWD" .git/refs/c; touch d.lock; echo two >> a.txt',
    );
    expect(await runToEnd(run, 20_000)).toMatchObject({ code: 0, leftoversCommitted: true });
    expect(existsSync(path.join(run.cwd, 'd.lock'))).toBe(true);
  });

  it('is told to be unusable when it is, instead of running in it', async () => {
    const run = inClone('true');
    rmSync(path.join(run.cwd, '.git'), { recursive: true });
    symlinkSync('/', path.join(run.cwd, '.git'));
    expect(await runToEnd(run)).toMatchObject({ phase: 'refresh', commands: [], trouble: '.git is not a directory' });
  });

  it('runs what an agent planted in it only inside of runs', async () => {
    const run = inClone(`
      printf '#!/bin/sh\\nenv > "$(mktemp "$CANARIES/XXXXXX")"\\ncat 2>/dev/null\\n' > .git/canary; chmod +x .git/canary
      for h in post-checkout pre-commit post-commit post-index-change; do cp .git/canary .git/hooks/$h; done
      git config core.fsmonitor "$PWD/.git/canary"; git config filter.x.clean "$PWD/.git/canary"
      echo '* filter=x' > .gitattributes; echo more > c.txt`);
    const canaries = path.join(run.root, 'canaries');
    mkdirSync(canaries);
    const [agent] = run.spec.commands;
    if (agent !== undefined) agent.env.CANARIES = canaries;
    await runToEnd(run);
    const seen = spawnSync(
      'cat',
      [
        '-s',
        ...spawnSync('ls', [canaries], { encoding: 'utf8' })
          .stdout.trim()
          .split('\n')
          .map((f) => path.join(canaries, f)),
      ],
      { encoding: 'utf8' },
    ).stdout;
    const environments = seen.split('\n').filter((line) => line.startsWith('PATH=')).length;
    const marks = seen.split('\n').filter((line) => line === `SIGNALBOX_RUN=${run.spec.runId}`).length;
    expect(environments).toBeGreaterThan(0);
    expect(marks).toBe(environments);
  });
});
