import { test } from 'vitest';
import { storm, VICTIMS } from '../support/storm.js';

test('each part of the stack is killed once while tasks run; every task lands once and nothing is left', async () => {
  await storm({ seed: Date.now() % 100_000, tasks: 3, victims: [...VICTIMS], pauseMs: 1500 });
}, 180_000);
