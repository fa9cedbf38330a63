/**
 * Two instances that know nothing of each other, each with its own database and Temporal server, on one remote by
 * mistake, with the same names for everything. They share nothing but the refs, and only one of them lands.
 */
import { expect, test } from 'vitest';
import { at, type ApiError } from '../../cli/client.js';
import { demoGit } from '../../cli/demo/git.js';
import type { TaskRow } from '../../cli/demo/proofs.js';
import type { ScriptStep } from '../../cli/demo/scripted-agent.js';
import { Instance } from '../support/instance.js';

const PIPELINE = {
  stages: [
    { name: 'work', kind: 'agent', agent: 'worker' },
    { name: 'merge', kind: 'merge' },
  ],
};
const QUICK = { SIGNALBOX_BACKOFF_BASE: '200ms', SIGNALBOX_BACKOFF_MAX: '500ms' };

interface Queue {
  state: string;
  block: { code: string; reason: string } | null;
  entries: { task: string }[];
}

test('the second instance is refused; once it takes the remote over, the first lands nothing until it takes it back', async () => {
  const [one, two] = [await Instance.create(QUICK), await Instance.create(QUICK)];
  const write = (file: string): Record<string, ScriptStep[]> => ({
    work: [{ write: file, text: '{task}\n' }, { commit: `Write ${file}` }],
  });
  const queueOf = (instance: Instance): Promise<Queue> => instance.client.get(at('repos', 'web', 'merge-queue'));
  const done = (instance: Instance, task: string): Promise<TaskRow> =>
    instance.untilTask(task, (t) => t.state === 'done', 60_000);
  try {
    await Promise.all([one.start(), two.start()]);
    const { remote } = await one.addSampleRepository(PIPELINE);
    const subjects = async (): Promise<string[]> =>
      (await demoGit(remote, ['log', '--format=%s', 'main'])).trim().split('\n');
    const refs = await demoGit(remote, ['for-each-ref']);
    const refused = await two.addSampleRepository(PIPELINE, 'web', { remote }).catch((err: unknown) => err as ApiError);
    expect(refused).toMatchObject({ status: 409, message: expect.stringContaining('--take-over') as string });
    expect(await demoGit(remote, ['for-each-ref'])).toBe(refs);

    // Waits in the queue of the first when the second takes over and lands its own task of the same name.
    await one.client.send('POST', at('repos', 'web', 'pause'), { reason: 'for a moment' });
    const first = (await one.submit('First', write('first.txt'))).task;
    await one.until(
      'the entry',
      () => queueOf(one),
      (queue) => queue.entries.length === 1,
    );
    await two.addSampleRepository(PIPELINE, 'web', { remote, takeOver: true });
    const second = (await two.submit('Second', write('second.txt'))).task;
    expect(second).toBe(first);
    await done(two, second);
    await one.client.send('POST', at('repos', 'web', 'resume'), {});
    const blocked = await one.until(
      'the block',
      () => queueOf(one),
      (queue) => queue.block !== null,
    );
    expect(blocked).toMatchObject({ state: 'blocked', block: { code: 'remote-taken' } });
    expect(await subjects()).toContain('Write second.txt');
    expect(await subjects()).not.toContain('Write first.txt');

    const taken = await one.cli('repo', 'change', 'web', '--take-over');
    expect(taken).toMatchObject({ code: 0, err: '' });
    const landed = await done(one, first);
    expect((await demoGit(remote, ['rev-parse', 'main'])).trim()).toBe(landed.landed?.commit);
    expect((await subjects()).filter((subject) => subject.startsWith('Write '))).toEqual([
      ...['Write first.txt', 'Write second.txt'],
    ]);
  } finally {
    await Promise.all([one.remove(), two.remove()]);
  }
}, 180_000);
