/** The person of the demo: asked on a terminal; without one, or without an answer, the demo approves by itself. */
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { at, type Client } from '../client.js';
import type { TaskRow } from './proofs.js';

const PATIENCE_MS = 20_000;
const MOMENT_MS = 1000;

/** Shows the document, gets a yes, and approves exactly what was shown. */
export async function approve(client: Client, task: TaskRow, say: (line: string) => void): Promise<void> {
  const artifact = task.waitingOn?.artifact;
  if (!artifact) return;
  const segments = task.task.split('/');
  const document = await client.text(`${at('tasks', ...segments)}/artifacts/analysis`, { sha: artifact.sha });
  say(`${task.task} asks for a yes to ${artifact.path ?? 'its head'}:\n${document.replace(/^/gm, '    | ')}`);
  say(await answer());
  await client.send('POST', `${at('tasks', ...segments)}/approve`, { stage: task.stage, sha: artifact.sha });
}

async function answer(): Promise<string> {
  if (!process.stdin.isTTY) {
    await sleep(MOMENT_MS);
    return '    approved by the demo, after a moment';
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    await terminal.question('    Enter approves: ', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return '    approved by you';
  } catch (err) {
    if ((err as Error).name !== 'AbortError') throw err;
    return `\n    approved by the demo, after ${PATIENCE_MS / 1000} s`;
  } finally {
    terminal.close();
  }
}
