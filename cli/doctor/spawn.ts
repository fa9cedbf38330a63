/** Proves a real spawn: a process under the supervisor, its output in a file, its end recorded, nothing left behind. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runFiles } from '../../activities/agents/records.js';
import { killTree, startOrAttach, waitForEnd } from '../../activities/agents/supervisor.js';
import { failed, ok, type Check } from './check.js';

const LIMIT_MS = 20_000;
const MEND = 'read shim.log in the run directory; agents cannot be started here as long as this fails';

export async function checkSpawn(searchPath: string): Promise<Check[]> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'signalbox-doctor-'));
  const word = randomBytes(8).toString('hex');
  const runId = `doctor.${word}`;
  const runDir = path.join(root, 'runs', runId);
  const cwd = path.join(root, 'clone');
  const env = { PATH: searchPath };
  await mkdir(cwd);
  try {
    const command = [process.execPath, '-e', `process.stdout.write(${JSON.stringify(word)})`];
    await startOrAttach(
      runDir,
      {
        ...{ runId, attempt: 1, fence: 1, cwd, git: null, setup: null, result: false },
        commands: [{ name: 'agent', command, env, wallMs: LIMIT_MS, stallMs: null }],
        output: { bytes: 1024 * 1024, streams: 'split' },
      },
      env,
    );
    const end = await waitForEnd(runDir, LIMIT_MS);
    if (end.state !== 'exited') {
      await killTree(runDir);
      return [failed('spawn', `the run is ${end.state}${'reason' in end ? `: ${end.reason}` : ''}`, MEND)];
    }
    const output = await readFile(runFiles(runDir).out, 'utf8');
    if (!output.includes(word)) return [failed('spawn', 'the output of the run is not in its file', MEND)];
    const survivors = await killTree(runDir);
    if (survivors > 0) return [failed('spawn', `${survivors} processes were left behind`, MEND)];
    return [ok('spawn', 'a process ran under the supervisor and left nothing behind')];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
