import { expect, it } from 'vitest';
import { allEnded } from '../../../activities/git/all-ended.js';

it('gives what all of them give', async () => {
  expect(await allEnded([Promise.resolve(1), Promise.resolve('two')])).toEqual([1, 'two']);
});

it('throws the first error, when the last one has ended', async () => {
  let end: () => void = () => undefined;
  let ended = false;
  const slow = new Promise<void>((resolve) => (end = resolve)).then(() => (ended = true));
  const all = allEnded([Promise.reject(new Error('first')), slow, Promise.reject(new Error('second'))]);
  setImmediate(end);
  await expect(all).rejects.toThrow('first');
  expect(ended).toBe(true);
});
