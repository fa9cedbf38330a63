/** The bare baseline: a workflow that runs `count` no-op activities one after the other. */
import { proxyActivities } from '@temporalio/workflow';

const { noop } = proxyActivities<{ noop(): Promise<void> }>({ startToCloseTimeout: '1m' });

export async function bare(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await noop();
}
