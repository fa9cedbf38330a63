/** Two hosts, one database, one Temporal server: what the worker of one leaves behind at its death, the other finishes. */
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoGit } from '../../cli/demo/git.js';
import type { ScriptStep } from '../../cli/demo/scripted-agent.js';
import { status } from '../../workflows/messages.js';
import { Hosts } from '../support/hosts.js';
import { eventually } from '../support/net.js';

let hosts: Hosts;
beforeAll(async () => {
  hosts = await Hosts.create();
  await Promise.all([hosts.start('a', { SIGNALBOX_CRASH_AT: 'publish-before-push:1' }), hosts.start('b')]);
}, 90_000);
afterAll(() => hosts.end());

const change = (file: string): ScriptStep[] => [{ write: file, text: '{task}\n' }, { commit: `Write ${file}` }];
const other = (host: string): string => (host === 'a' ? 'b' : 'a');
const checksOn = async (host: string): Promise<string[]> =>
  (await hosts.runsOn(host)).filter((run) => run.startsWith('check-'));

/** It landed, once: in the rows, and on the remote. */
async function expectLandedOnce(task: string, file: string): Promise<void> {
  const done = await hosts.untilTask(task, (t) => t.state === 'done');
  expect(done.counters).toMatchObject({ faults: 0, followUps: 0 });
  expect((await hosts.landings()).filter((l) => l.task === task)).toHaveLength(1);
  const subjects = (await demoGit(hosts.remote, ['log', '--format=%s', 'main'])).split('\n');
  expect(subjects.filter((s) => s === `Write ${file}`)).toHaveLength(1);
  expect((await demoGit(hosts.remote, ['rev-parse', 'main'])).trim()).toBe(done.landed?.commit);
}

test('a publish whose worker dies at the push is finished by the other host', async () => {
  const { task } = await hosts.submit('Publish', { work: change('publish.txt') });
  await hosts.untilLive('a', false);
  await expectLandedOnce(task, 'publish.txt');
  await hosts.start('a');
});

test('a check whose worker dies is run by the other host', async () => {
  const before = { a: await checksOn('a'), b: await checksOn('b') };
  const fresh = async (host: 'a' | 'b'): Promise<boolean> => (await checksOn(host)).length > before[host].length;
  await writeFile(hosts.hold, '');
  const { task } = await hosts.submit('Check', { work: change('check.txt') });
  const first = await eventually(async () => ((await fresh('a')) ? 'a' : (await fresh('b')) ? 'b' : null), {
    ...{ timeoutMs: 20_000, what: 'the check' },
  });
  await hosts.kill(first);
  await eventually(async () => ((await fresh(first === 'a' ? 'b' : 'a')) ? true : null), {
    ...{ timeoutMs: 20_000, what: 'the check on the other host' },
  });
  await rm(hosts.hold);
  await expectLandedOnce(task, 'check.txt');
  await hosts.start(first);
});

test('an agent whose host is gone is waited for by the name of the host, and a retry takes another', async () => {
  const go = path.join(hosts.dir, 'go');
  const { task } = await hosts.submit('Agent', { work: [{ waitFor: go }, ...change('agent.txt')] });
  const works = await hosts.untilTask(task, (t) => t.waitingOn?.kind === 'agent');
  const { host = '', run } = works.waitingOn?.links ?? {};
  const workflow = hosts.api.temporal.client.workflow.getHandle(`task/${task}`);
  const shows = (kind: string): Promise<string> =>
    eventually(
      async () => {
        const { waitingOn } = await workflow.query(status);
        return waitingOn?.kind === kind ? waitingOn.detail : null;
      },
      { timeoutMs: 20_000, what: `a wait for ${kind}` },
    );
  await hosts.kill(host);
  const waits = await hosts.untilTask(task, (t) => t.waitingOn?.kind === 'host');
  expect(waits).toMatchObject({ state: 'waiting', agentRunning: null, waitingOn: { links: { run, host } } });
  expect(await shows('host')).toContain(`host ${host}, where run ${String(run)} is`);
  const explained = (): Promise<{ chain: { kind: string; unblockedBy: string[] }[] }> =>
    hosts.send('GET', `/api/tasks/${task}/explain`);
  const { chain } = await explained();
  expect(chain[0]?.kind).toBe('host');
  expect(chain[0]?.unblockedBy.join()).toContain(`signalbox task retry ${task}`);

  await hosts.start(host);
  await shows('agent');
  expect((await hosts.task(task)).waitingOn?.links).toMatchObject({ run, host });

  await hosts.kill(host);
  await shows('host');
  await hosts.send('POST', `/api/tasks/${task}/retry`, {});
  const again = await hosts.untilTask(task, (t) => t.waitingOn?.kind === 'agent');
  expect(again.waitingOn?.links).toMatchObject({ host: other(host) });
  await writeFile(go, '');
  await expectLandedOnce(task, 'agent.txt');
});
