/** Kills workers that start and join one run, at random moments, and counts what the run's command saw. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { markedProcesses } from '../../activities/agents/processes.js';
import type { RunProbe } from '../../activities/agents/supervisor.js';
import { testRun } from './runs.js';

const WORKER = fileURLToPath(new URL('./supervise.mjs', import.meta.url));

function startWorker(runDir: string, specFile: string): { kill: () => void; done: Promise<string> } {
  const child = spawn(process.execPath, [WORKER, runDir, specFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const done = new Promise<string>((resolve) => child.once('close', () => resolve(text)));
  return { kill: () => child.kill('SIGKILL'), done };
}

/**
 * One run; `kills` workers killed, two at a time, the last one left to see the end. `startAt`: longest wait before a
 * kill, so that most of them fall around the start. Gives how often the command ran and what the last worker saw.
 */
export async function killWorkers(
  kills: number,
  startAt = 160,
): Promise<{ starts: number; end: RunProbe; left: number }> {
  const run = testRun(`
    require('node:fs').appendFileSync('starts', process.pid + '\\n');
    const wait = () => require('node:fs').existsSync('go') ? process.exit(7) : setTimeout(wait, 20);
    wait();`);
  const specFile = path.join(run.root, 'spec.json');
  writeFileSync(specFile, JSON.stringify(run.spec));
  for (let n = 0; n < kills; n += 2) {
    const workers = [startWorker(run.runDir, specFile), startWorker(run.runDir, specFile)];
    await Promise.all(
      workers.map(async (w) => {
        await sleep(20 + Math.random() * startAt);
        w.kill();
        await w.done;
      }),
    );
  }
  writeFileSync(path.join(run.cwd, 'go'), '');
  const end = JSON.parse(await startWorker(run.runDir, specFile).done) as RunProbe;
  const starts = path.join(run.cwd, 'starts');
  const count = existsSync(starts) ? readFileSync(starts, 'utf8').trim().split('\n').length : 0;
  // The shim that wrote the exit record, and shims that lost the claim, still need a moment to go.
  const left = (): number => markedProcesses().get(run.runDir)?.length ?? 0;
  for (const deadline = Date.now() + 10_000; left() > 0 && Date.now() < deadline;) await sleep(20);
  rmSync(run.root, { recursive: true, force: true });
  return { starts: count, end, left: left() };
}
