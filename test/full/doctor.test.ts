/** Each thing that can be wrong with a machine: the doctor names it, says how to mend it, and exits with 1. */
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { entrypoint } from '../../activities/entrypoint.js';
import { putProfile } from '../../store/agent-profiles.js';
import { insertRepo } from '../../store/repos.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { freePort } from '../support/net.js';
import { sampleProfile, sampleRepo } from '../support/samples.js';

interface Check {
  name: string;
  status: string;
  detail: string;
  mend: string | null;
}

let dir: string;
let database: TestDatabase;
beforeAll(async () => {
  [dir, database] = await Promise.all([
    mkdtemp(path.join(os.tmpdir(), 'signalbox-doctor-test-')),
    createTestDatabase(),
  ]);
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
  await database.drop();
});

/** What the doctor finds failed, with this environment in place of ours. */
async function failures(env: Record<string, string>, dataDir?: string): Promise<Check[]> {
  return (await found(env, dataDir)).filter((check) => check.status === 'failed');
}

async function found(env: Record<string, string>, dataDir = path.join(dir, 'data')): Promise<Check[]> {
  const args = [entrypoint('cli/main'), 'doctor', '--json', '--data-dir', dataDir];
  const doctor = await execa(process.execPath, args, { env, reject: false, stdin: 'ignore' });
  expect([doctor.exitCode, doctor.stderr]).toEqual([1, '']);
  const { ok, checks } = JSON.parse(doctor.stdout) as { ok: boolean; checks: Check[] };
  expect(ok).toBe(false);
  const failed = checks.filter((check) => check.status === 'failed');
  for (const { detail, mend } of failed) expect([detail, mend ?? '']).not.toContain('');
  return checks;
}

/** A PATH of these programs alone; a text is a script. */
async function pathOf(name: string, programs: Record<string, string>): Promise<string> {
  const bin = path.join(dir, name);
  await mkdir(bin);
  for (const [program, script] of Object.entries(programs)) {
    await writeFile(path.join(bin, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const { stdout } = await execa('which', ['sh']);
  await symlink(stdout, path.join(bin, 'sh'));
  return bin;
}

const flock = 'echo flock from util-linux 2.38';

test.each([
  ['git that is too old', { git: 'echo git version 2.30.2', flock }, 'git', '2.30.2 is older than 2.39', 'install git'],
  ['no git', { flock }, 'git', 'git cannot be run', 'install git'],
  ['no flock', { git: 'echo git version 2.45.0' }, 'flock', 'flock cannot be run', 'install util-linux'],
])('%s', async (what, programs, name, detail, mend) => {
  const failed = await failures({ PATH: await pathOf(what.replaceAll(' ', '-'), programs) });
  expect(failed.map((check) => check.name)).toContain(name);
  const check = failed.find((one) => one.name === name);
  expect(check?.detail).toContain(detail);
  expect(check?.mend).toContain(mend);
});

test('a data directory that cannot be made, and one that cannot be written to', async () => {
  const file = path.join(dir, 'a-file');
  await writeFile(file, '');
  const [inFile] = await failures({}, path.join(file, 'data'));
  expect(inFile).toMatchObject({ name: 'data directory', mend: expect.stringContaining('--data-dir') as string });
  // Root writes anywhere.
  if (process.getuid?.() === 0) return;
  const locked = path.join(dir, 'locked');
  await mkdir(locked);
  await chmod(locked, 0o500);
  expect(await failures({}, locked)).toMatchObject([{ name: 'data directory' }]);
});

test('a Postgres and a Temporal that do not answer, both at once', async () => {
  const port = await freePort();
  const failed = await failures({
    ...{ DATABASE_URL: `postgres://u:secret-0815@127.0.0.1:${port}/x`, TEMPORAL_ADDRESS: `127.0.0.1:${port}` },
  });
  expect(failed.map((check) => check.name)).toEqual(['postgres', 'temporal']);
  expect(failed[0]?.mend).toContain('DATABASE_URL');
  expect(failed[1]?.mend).toContain('TEMPORAL_ADDRESS');
  expect(JSON.stringify(failed)).not.toContain('secret-0815');
});

test('an agent whose command is not there, a remote that is gone, and one that is checked out', async () => {
  await putProfile(database.pool, sampleProfile({ name: 'lost', command: ['no-such-agent'] }));
  await insertRepo(database.pool, sampleRepo({ id: 'gone', remote: path.join(dir, 'gone.git') }));
  const desk = path.join(dir, 'desk');
  await execa('git', ['init', '-q', '-b', 'main', desk]);
  await execa('git', [
    '-C',
    desk,
    '-c',
    'user.name=t',
    '-c',
    'user.email=t@t',
    'commit',
    '-q',
    '--allow-empty',
    '-m',
    'x',
  ]);
  await insertRepo(database.pool, sampleRepo({ id: 'desk', remote: desk, remoteKey: desk }));
  const checks = await found({ DATABASE_URL: database.url });
  const noted = checks.find((check) => check.name === 'repository desk' && check.status === 'note');
  expect(noted?.detail).toContain('signalbox repo change desk --checkout update');
  expect(checks.filter((check) => check.status === 'failed')).toMatchObject([
    { name: 'agent lost', mend: expect.stringContaining('signalbox agent-profile set lost') as string },
    { name: 'repository gone', mend: expect.stringContaining(path.join(dir, 'gone.git')) as string },
  ]);
});
