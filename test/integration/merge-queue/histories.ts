/** Recorded histories for the replay test. A file that is there is kept: it is what running workflows look like. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestTemporal } from '../../support/temporal.js';

/** Saves the history of the newest run under test/histories, unless there is one of that name. */
export async function keepHistory(temporal: TestTemporal, workflowId: string, name: string): Promise<void> {
  const file = fileURLToPath(new URL(`../../histories/${name}.json`, import.meta.url));
  if (existsSync(file)) return;
  const history = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
  // Stack traces name the directory of whoever recorded it.
  const text = historyToJSON(history).replaceAll(fileURLToPath(new URL('../../../', import.meta.url)), '/signalbox/');
  await writeFile(file, `${text}\n`);
}
