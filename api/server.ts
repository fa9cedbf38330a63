/**
 * The HTTP API. Order of every request: Host, token, rate, size and shape of the body, schema, then the route. Nothing
 * is kept in this process between requests (but rate counters), so any number of them may serve one database.
 */
import rateLimit from '@fastify/rate-limit';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Server } from 'node:http';
import fastify, { LogController, type FastifyHttpOptions } from 'fastify';
import { SignalboxError } from '../domain/errors.js';
import { useAuth } from './auth.js';
import type { App } from './context.js';
import type { ApiDeps } from './deps.js';
import { useErrors } from './errors.js';
import { useHostCheck } from './hosts.js';
import { useIdempotency } from './idempotency.js';
import { useOpenApi } from './openapi.js';
import { agentProfileRoutes } from './routes/agent-profiles.js';
import { conflictRoutes } from './routes/conflicts.js';
import { decisionRoutes } from './routes/decisions.js';
import { eventRoutes } from './routes/events.js';
import { gateRoutes } from './routes/gates.js';
import { healthRoutes } from './routes/health.js';
import { hookRoutes } from './routes/hooks.js';
import { landingRoutes } from './routes/landings.js';
import { mergeQueueRoutes } from './routes/merge-queue.js';
import { operationsRoutes } from './routes/operations.js';
import { repoRoutes } from './routes/repos.js';
import { checkRoutes } from './routes/checks.js';
import { runRoutes } from './routes/runs.js';
import { taskReadRoutes } from './routes/task-reads.js';
import { taskRoutes } from './routes/tasks.js';
import { tokenRoutes } from './routes/tokens.js';
import { webhookRoutes } from './routes/webhooks.js';
import { sharedReads } from './shared-reads.js';
import { useStrictJson } from './strict-json.js';
import { validatorCompiler } from './validation.js';

/** Sane for people and scripts; a fleet's machine traffic goes through Temporal, not through here. */
const REQUESTS_A_MINUTE = 6000;

/** Builds the server; the caller listens (on 127.0.0.1 unless configured) and closes it. */
export async function createServer(given: ApiDeps): Promise<App> {
  const deps: ApiDeps = { ...given, gitReader: sharedReads(given.gitReader) };
  const options = {
    loggerInstance: deps.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: deps.settings.MAX_BODY,
    // A client that trickles its headers or body is cut off. Node looks only every 30 s unless told otherwise.
    requestTimeout: 15_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1000 },
    connectionTimeout: 0,
    routerOptions: { maxParamLength: 300, ignoreTrailingSlash: false },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    forceCloseConnections: true,
  } satisfies FastifyHttpOptions<Server>;
  const app: App = fastify(options).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  // Answers may carry more fields than documented; the schemas of answers only document.
  app.setSerializerCompiler(() => (data: unknown) => JSON.stringify(data));
  useErrors(app);
  useStrictJson(app);
  useHostCheck(app, deps.allowedHosts);
  await app.register(rateLimit, {
    global: true,
    hook: 'onRequest',
    max: REQUESTS_A_MINUTE,
    timeWindow: '1 minute',
    keyGenerator: (request) => `${request.principal?.tokenId ?? ''} ${request.ip}`,
    errorResponseBuilder: (_request, context) =>
      new SignalboxError('rate-limited', `more than ${context.max} requests a minute`, {
        retryAfter: Math.ceil(context.ttl / 1000),
      }),
  });
  useAuth(app, deps);
  useIdempotency(app, deps);
  await useOpenApi(app);
  app.register((scope, _options, done) => {
    for (const routes of [
      healthRoutes,
      tokenRoutes,
      repoRoutes,
      agentProfileRoutes,
      taskRoutes,
      taskReadRoutes,
      decisionRoutes,
      runRoutes,
      checkRoutes,
      mergeQueueRoutes,
      landingRoutes,
      conflictRoutes,
      gateRoutes,
      eventRoutes,
      operationsRoutes,
      hookRoutes,
      webhookRoutes,
    ]) {
      routes(scope, deps);
    }
    done();
  });
  await app.ready();
  return app;
}
