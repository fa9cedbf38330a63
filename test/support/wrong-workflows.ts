/** A `task` that does other things than the recorded ones did: the replay test must notice. */
import { sleep } from '@temporalio/workflow';

export async function task(): Promise<void> {
  await sleep('1 minute');
}
