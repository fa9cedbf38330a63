/** Ctrl-C in a terminal goes to every process of the group: the demo and all that it started must be gone after it. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { entrypoint } from '../../../activities/entrypoint.js';

let tmp: string;
beforeAll(async () => {
  tmp = await mkdtemp(path.join(tmpdir(), 'signalbox-test-demo-'));
  await chmod(tmp, 0o711);
});
afterAll(() => rm(tmp, { recursive: true, force: true }));

/** Command lines of processes that name the directory. */
function processesOn(dir: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return line.includes(dir) ? [line] : [];
    } catch {
      return []; // it ended meanwhile
    }
  });
}

it.each([
  ['while it starts', /^Sample repository: /],
  ['while tasks run', /^API /],
])('Ctrl-C %s leaves nothing', async (_when, line) => {
  const demo = spawn(process.execPath, [entrypoint('cli/main'), 'demo', '--keep', '--json'], {
    detached: true,
    env: { ...process.env, TMPDIR: tmp },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(demo, 'exit');
  for await (const text of createInterface({ input: demo.stderr })) if (line.test(text)) break;
  process.kill(-(demo.pid ?? 0), 'SIGINT');
  const [code] = (await exited) as [number | null];
  expect(code).toBe(130);
  expect(processesOn(tmp)).toEqual([]);
  expect(readdirSync(tmp).filter((name) => name.startsWith('signalbox-demo-'))).toEqual([]);
});
