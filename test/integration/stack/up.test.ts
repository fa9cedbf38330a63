/** The stack as a whole: one start per data directory, dead parts restarted, a killed `up` recovered, an orderly stop. */
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { entrypoint } from '../../../activities/entrypoint.js';
import { allProcesses } from '../../../activities/agents/processes.js';
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Instance } from '../../support/instance.js';

let instance: Instance;

beforeAll(async () => {
  instance = await Instance.create({ SIGNALBOX_HOST_ID: 'stack-test' });
  await instance.start();
});
afterAll(async () => {
  await instance.remove();
});

const signalbox = async (args: string[], env: Record<string, string> = {}) =>
  execa(process.execPath, [entrypoint('cli/main'), ...args], { env, reject: false, stdin: 'ignore' });

test('the ready line says where everything is, and what is secret is ours alone', async () => {
  expect(instance.ready).toMatchObject({ ready: true, namespace: 'default', dataDir: instance.dataDir });
  expect(instance.ready.token).toMatch(/^sbx_/);
  for (const name of ['token', 'up.json', 'postgres-password']) {
    expect((await stat(path.join(instance.dataDir, name))).mode & 0o077, name).toBe(0);
  }
  expect(await (await fetch(`${instance.ready.ui}/`)).text()).toContain('<html');
});

test('a second up on the same data directory is refused with the pid of the first', async () => {
  const second = await signalbox(['up', '--json', '--data-dir', instance.dataDir]);
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toContain(String(instance.pid));
  expect(second.stdout).toBe('');
});

test('a worker for a host that another process serves is refused', async () => {
  const rival = await signalbox(['worker', '--data-dir', path.join(instance.dir, 'rival')], {
    ...{ DATABASE_URL: instance.ready.database, TEMPORAL_ADDRESS: instance.ready.temporal },
    SIGNALBOX_HOST_ID: 'stack-test',
  });
  expect(rival.exitCode).toBe(1);
  expect(rival.stderr).toContain(String((await instance.children())['worker']?.pid));
});

test('the doctor finds everything well, with a real spawn', async () => {
  const doctor = await signalbox(['doctor', '--json', '--spawn', '--data-dir', instance.dataDir]);
  const { ok, checks } = JSON.parse(doctor.stdout) as { ok: boolean; checks: { name: string; status: string }[] };
  expect(checks.filter((check) => check.status === 'failed')).toEqual([]);
  expect([ok, doctor.exitCode]).toEqual([true, 0]);
  expect(checks.map((check) => check.name)).toEqual(
    expect.arrayContaining(['git', 'flock', 'postgres', 'temporal', 'search attributes', 'data directory', 'spawn']),
  );
});

test('all parts, killed at once, are back', async () => {
  const before = await instance.children();
  expect(Object.keys(before).sort()).toEqual(['api', 'postgres', 'temporal', 'worker']);
  for (const { pid } of Object.values(before)) process.kill(pid, 'SIGKILL');
  await instance.until(
    'new processes of all parts',
    () => instance.children(),
    (now) => Object.keys(before).every((name) => now[name]?.pid !== before[name]?.pid),
    20_000,
  );
  await instance.until(
    'ready',
    async () => (await fetch(`${instance.ready.api}/health/ready`)).status,
    (status) => status === 200,
  );
});

test('up, killed, finds its data again, and nothing of its predecessor is left', async () => {
  const before = instance.ready;
  await instance.client.send('PUT', '/api/agent-profiles/kept', { adapter: 'command', command: ['true'] });
  const parts = Object.values(await instance.children());
  await instance.kill();
  await instance.start();
  expect(instance.ready).toEqual(before);
  const profiles = await instance.client.get<{ items: { name: string }[] }>('/api/agent-profiles');
  expect(profiles.items.map((profile) => profile.name)).toContain('kept');
  const alive = new Set(allProcesses().map(({ pid }) => pid));
  expect(parts.filter(({ pid }) => alive.has(pid))).toEqual([]);
});

test('SIGTERM ends everything within 10 s with exit code 0', async () => {
  const since = performance.now();
  expect(await instance.stop()).toBe(0);
  expect(performance.now() - since).toBeLessThan(10_000);
  expect(processesOf(instance.dataDir)).toEqual([]);
});

/** Command lines and environments that name the directory. */
function processesOf(directory: string): number[] {
  const names = (pid: number): boolean => {
    try {
      return ['cmdline', 'environ'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(directory));
    } catch {
      return false; // gone meanwhile
    }
  };
  return allProcesses().flatMap(({ pid }) => (pid !== process.pid && names(pid) ? [pid] : []));
}
