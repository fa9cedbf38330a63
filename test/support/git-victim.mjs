// A process of its own that publishes, fences or holds the lock of a gate, so that tests can kill it.
// argv: the file of a job {mode, root, host, repo, plan, verdict, crash, lock, path}; speaks `ready` when it begins.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { armCrashPoint } from '../../dist/activities/crash-points.js';
import { createGitHost } from '../../dist/activities/git/host.js';
import { createLandings } from '../../dist/activities/git/landing.js';
import { withFlock } from '../../dist/activities/git/lock.js';
import { hostPaths } from '../../dist/activities/paths.js';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
armCrashPoint(job.crash ?? null, `${process.argv[2]}.fired`);
const host = createGitHost({
  paths: hostPaths(path.join(job.root, `host-${job.host}`)),
  lookup: (name) => (name === 'PATH' ? job.path : undefined) ?? process.env[name],
  staleLockMs: 300,
});
const records = {
  repo: async () => job.repo,
  lastLanding: async () => null,
  landingOfEntry: async () => null,
  landingOfTask: async () => null,
  activeGates: async () => [],
  isFix: async () => false,
  unwanted: async () => null,
  verdictOf: async () => null,
  approvals: async () => ({ needed: [], decisions: [] }),
};
const landings = createLandings(host, records);
process.stdout.write('ready\n');
if (job.mode === 'hold') {
  await withFlock(job.lock, 1000, async (fd) => {
    process.stdout.write('held\n');
    await host.git.run(['-c', 'alias.wait=!sleep 30', 'wait'], { lockFd: fd });
  });
} else if (job.mode === 'fence') {
  await landings.fenceLanding('web', 'main', job.plan);
} else {
  await landings.publishLanding(job.plan, job.verdict);
}
