import type { ApiDeps } from './deps.js';

const PATIENCE_MS = 2000;

async function answers(probe: Promise<unknown>): Promise<'ok' | 'away'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'away'>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, 'away');
  });
  // Any failure is the same news here: that part is away.
  const probed = probe.then(
    () => 'ok' as const,
    () => 'away' as const,
  );
  return Promise.race([probed, late]).finally(() => {
    clearTimeout(timer);
  });
}

/** Whether the parts that the API stands on answer within two seconds. */
export async function isReady(deps: ApiDeps): Promise<{ database: 'ok' | 'away'; temporal: 'ok' | 'away' }> {
  const [database, temporal] = await Promise.all([
    answers(deps.pool.query('SELECT 1')),
    answers(deps.temporal.connection.workflowService.getSystemInfo({})),
  ]);
  return { database, temporal };
}
