/**
 * Deliveries of forges: signature over the raw bytes, then stored once together with what is to be done, then answered.
 * What is done comes from the outbox, and looks at the forge itself: a delivery is a hint.
 */
import { SignalboxError } from '../../domain/errors.js';
import { readDelivery, type Delivery } from '../../domain/webhooks.js';
import { transaction, type Tx } from '../../store/db.js';
import { waitsFor } from '../../store/external-waits.js';
import { getHook, takeDelivery, type Hook } from '../../store/hooks.js';
import { addToOutbox } from '../../store/outbox.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { refuse } from '../refuse.js';
import { DeliveryParams, Taken } from '../schemas/hooks.js';
import { jsonDepth } from '../strict-json.js';
import { deliveryKey, eventOf, isSigned } from '../webhook-signatures.js';

const MAX_BODY = 5 * 1024 * 1024;
const MAX_DEPTH = 32;

export function webhookRoutes(app: App, deps: ApiDeps): void {
  app.register((scope: App, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'buffer', bodyLimit: MAX_BODY },
      (_request, body, parsed) => parsed(null, body),
    );
    scope.post(
      '/webhooks/:source/:id',
      {
        config: { scope: 'public' },
        bodyLimit: MAX_BODY,
        schema: {
          tags: ['hooks'],
          summary: 'Take a delivery of a forge, signed by its rules',
          params: DeliveryParams,
          security: [],
          response: { 200: Taken, 202: Taken },
        },
      },
      async (request, reply) => {
        const { source, id } = request.params;
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const hook = await getHook(deps.pool, id);
        // The same answer to whoever guesses ids.
        if (hook?.source !== source || !(await isSigned(source, hook.secrets, request.headers, body, Date.now()))) {
          throw new SignalboxError('unauthenticated', 'the delivery is not signed by a secret of this hook');
        }
        const delivery = readDelivery(source, eventOf(source, request.headers), readJson(body));
        const key = deliveryKey(source, request.headers, body);
        const taken = await transaction(deps.pool, (tx) => take(tx, hook, key, delivery));
        return reply.code('duplicate' in taken ? 200 : 202).send(taken);
      },
    );
    done();
  });
}

async function take(tx: Tx, hook: Hook, key: string, delivery: Delivery) {
  if (delivery.kind === 'malformed') refuse('not-acceptable', delivery.field, undefined, delivery.message);
  const repo = delivery.kind === 'status' ? repoOf(hook, delivery.project) : null;
  if (!(await takeDelivery(tx, hook.id, key))) return { accepted: true, duplicate: true };
  if (delivery.kind !== 'status' || repo === null) {
    return { accepted: true, ignored: delivery.kind === 'ignored' ? delivery.reason : '' };
  }
  const waiting = new Set((await waitsFor(tx, repo, delivery)).map((wait) => wait.workflowId));
  for (const workflowId of waiting) {
    await addToOutbox(tx, `news:${hook.id}:${key}:${workflowId}`, 'check-news', { workflowId, sha: delivery.sha });
  }
  return { accepted: true, wakes: waiting.size };
}

/** Forges tell names apart without regard to case. */
function repoOf(hook: Hook, project: string): string {
  const found = Object.entries(hook.projects).find(([name]) => name.toLowerCase() === project.toLowerCase());
  if (found !== undefined) return found[1];
  const known = Object.keys(hook.projects).join(', ') || 'none';
  return refuse(
    'not-acceptable',
    'project',
    project,
    `is not a project of the hook ${hook.id}; its projects: ${known}`,
  );
}

function readJson(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    if (jsonDepth(text) > MAX_DEPTH) return refuse('not-acceptable', '', undefined, 'the body is nested too deep');
    return JSON.parse(text);
  } catch (err) {
    if (err instanceof SignalboxError) throw err;
    return refuse('not-acceptable', '', undefined, 'the body is not JSON');
  }
}
