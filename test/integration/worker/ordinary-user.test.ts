/** A host as an ordinary user: the worker, its supervisors, agents and checks, from the task to the landing. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { entrypoint } from '../../../activities/entrypoint.js';
import { Hosts } from '../../support/hosts.js';

/** nobody of every Debian. */
const NOBODY = 65534;
const root = process.getuid?.() === 0;

/** Whether that user can start our programs at all: a checkout in root's home is closed to everybody else. */
async function reachable(): Promise<boolean> {
  const argv = [entrypoint('cli/main'), '--version'];
  const { exitCode } = await execa(process.execPath, argv, { uid: NOBODY, gid: NOBODY, cwd: '/', reject: false });
  return exitCode === 0;
}

// Where the tests do not run as root, every other test of runs is this one.
test.skipIf(!root)('an ordinary user runs an agent and a check, and the change lands', async ({ skip }) => {
  skip(!(await reachable()), 'this checkout, or this node, lies where an ordinary user cannot read it');
  const hosts = await Hosts.create(NOBODY);
  try {
    await hosts.start('plain', {}, NOBODY);
    const { task } = await hosts.submit('Plain', {
      work: [{ run: ['sh', '-c', 'id -u > who.txt; cat who.txt'] }, { commit: 'Say who' }],
    });
    const done = await hosts.untilTask(task, (t) => t.state === 'done');
    expect(done.counters).toMatchObject({ faults: 0, transient: 0 });
    expect(await hosts.landings()).toHaveLength(1);
    const [run] = (await hosts.runsOn('plain')).filter((name) => !name.startsWith('check-'));
    for (const file of ['shim.json', 'exit.json', 'out.jsonl']) {
      const { uid } = await stat(path.join(hosts.dataDir('plain'), 'runs', run ?? '', file));
      expect(uid).toBe(NOBODY);
    }
  } finally {
    await hosts.end();
  }
});
