/** What must hold after every storm, looked at from outside: the remote, the API, /proc and the data directory. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { demoGit } from '../../cli/demo/git.js';
import { prove, type LandingRow, type TaskRow } from '../../cli/demo/proofs.js';
import { at } from '../../cli/client.js';
import type { Instance } from './instance.js';

/** Every task landed once, in a chain of checked trees, and every proof of the demo holds. */
export async function expectProvenLandings(
  instance: Instance,
  sample: { remote: string; first: string },
  tasks: TaskRow[],
): Promise<LandingRow[]> {
  const queue = await instance.client.get<{ landed: LandingRow[] }>(`${at('repos', 'web')}/merge-queue`);
  const landings = [...queue.landed].reverse();
  expect(landings.map((l) => l.task).sort()).toEqual(tasks.map((t) => t.task).sort());
  const proofs = await prove({ ...sample, tasks, landings });
  expect(proofs.filter((proof) => !proof.ok)).toEqual([]);
  return landings;
}

/** No process of a run lives, no clone and no run directory is left, and the remote holds no ref but ours. */
export async function expectNothingLeft(instance: Instance, remote: string): Promise<void> {
  await instance.until(
    'no process of a run',
    () => runProcesses(instance.dataDir),
    (found) => found.length === 0,
    20_000,
  );
  const left = async (): Promise<string[]> => [
    ...(await entries(path.join(instance.dataDir, 'clones', 'web'))),
    ...(await entries(path.join(instance.dataDir, 'exports'))),
  ];
  await instance.until('no clone, no export', left, (found) => found.length === 0, 30_000);
  const refs = (await demoGit(remote, ['for-each-ref', '--format=%(refname)'])).split('\n').filter(Boolean);
  for (const ref of refs) expect(ref).toMatch(/^refs\/(heads\/main|signalbox\/(heads\/ET-\d+|tip\/main|owner))$/);
}

/** Processes marked with a run of this instance: their environment names a run directory below its data directory. */
export async function runProcesses(dataDir: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // Gone meanwhile, or not ours to read: not a process of a run.
    const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environ.includes('SIGNALBOX_RUN=') && environ.includes(dataDir)) found.push(Number(pid));
  }
  return found;
}

async function entries(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw err;
  }
}
