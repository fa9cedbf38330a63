/**
 * Who made a decision. One that came through the API names the audit row that was written for it; one that was sent to
 * the workflow by another way is by whoever Temporal's history shows, whatever it says of itself.
 */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import { COMMAND_LINE } from '../../domain/pipeline/actor.js';
import type { Decision } from '../../domain/tasks.js';
import { taskName } from '../../domain/tasks.js';
import { actorOfDecision } from '../../store/audit.js';
import type { Pool } from '../../store/db.js';
import { taskWorkflowId } from '../../workflows/ids.js';
import { approve, reject } from '../../workflows/messages.js';

/** https://grpc.io/docs/guides/status-codes/ */
const NOT_FOUND = 5;

interface Deps {
  pool: Pool;
  client: Client;
}

/** The decision with the name of its decider. @param intent audit row of the request */
export async function withDecider(
  { pool, client }: Deps,
  task: { repo: string; workItem: string },
  decision: Decision,
  intent: number | null,
): Promise<Decision> {
  const subject = taskName(task.repo, task.workItem);
  const audited = intent === null ? null : await actorOfDecision(pool, intent, subject, decision);
  const by = audited ?? (await identityInHistory(client, taskWorkflowId(task.repo, task.workItem), decision));
  return { ...decision, by: by ?? COMMAND_LINE };
}

/** Identity of the client that sent the update; null when the workflow is gone. */
async function identityInHistory(client: Client, workflowId: string, decision: Decision): Promise<string | null> {
  const name = (decision.verdict === 'approved' ? approve : reject).name;
  const { events } = await client.workflow
    .getHandle(workflowId)
    .fetchHistory()
    .catch((err: unknown) => {
      const code: number | null = isGrpcServiceError(err) ? err.code : null;
      if (code === NOT_FOUND) return { events: [] };
      throw err;
    });
  for (const event of events ?? []) {
    const request = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
    if (request?.input?.name !== name) continue;
    const data = request.input.args?.payloads?.[0]?.data;
    if (!data?.length) continue;
    const { stage, sha } = decisionIn(data);
    if (stage === decision.stage && sha === decision.sha) return request.meta?.identity || null;
  }
  return null;
}

const decisionIn = (payload: Uint8Array): { stage?: unknown; sha?: unknown } =>
  JSON.parse(Buffer.from(payload).toString('utf8')) as { stage?: unknown; sha?: unknown };
