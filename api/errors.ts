/** Every error leaves as application/problem+json, with the code, status and title of the registry. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, SignalboxError, type ErrorCode } from '../domain/errors.js';

/** Fastify's own refusals, in our words. */
const FASTIFY_CODES: Record<string, [ErrorCode, string?]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['too-large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['invalid-request', 'the body must be application/json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid-request'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid-request', 'the body is not valid JSON'],
  FST_ERR_BAD_URL: ['invalid-request', 'the path is not a valid URL path'],
};

/** Errors of the connection to Postgres: the system is away, the request may be repeated. */
const CONNECTION_ERRORS = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOENT|57P0[123]|08...|53...)$/;

function isFastifyError(err: unknown): err is FastifyError {
  return err instanceof Error && 'code' in err && typeof err.code === 'string';
}

/** Any thrown thing as an error of the registry; what nobody foresaw is `internal` and its text stays in the log. */
export function toSignalboxError(err: unknown): SignalboxError {
  if (err instanceof SignalboxError) return err;
  if (isFastifyError(err)) {
    const [code, detail] = FASTIFY_CODES[err.code] ?? [];
    if (code !== undefined) return new SignalboxError(code, detail ?? err.message, {}, { cause: err });
    if (CONNECTION_ERRORS.test(err.code)) {
      return new SignalboxError('unavailable', 'Postgres did not answer', { retryAfter: 5 }, { cause: err });
    }
    const status = err.statusCode ?? 500;
    if (status === 429) return new SignalboxError('rate-limited', err.message, {}, { cause: err });
    if (status >= 400 && status < 500) return new SignalboxError('invalid-request', err.message, {}, { cause: err });
  }
  if (err instanceof SyntaxError && 'statusCode' in err) {
    return new SignalboxError('invalid-request', `the body is not valid JSON: ${err.message}`, {}, { cause: err });
  }
  return new SignalboxError('internal', 'Something went wrong on our side; the log has it.', {}, { cause: err });
}

/** The body of an error answer. */
export function problem(err: SignalboxError): Record<string, unknown> {
  return {
    ...err.data,
    type: `urn:signalbox:error:${err.code}`,
    title: ERRORS[err.code].title,
    status: err.status,
    code: err.code,
    detail: err.message,
  };
}

export function sendProblem(reply: FastifyReply, err: SignalboxError): FastifyReply {
  const retryAfter = err.data.retryAfter ?? (err.status === 503 ? 5 : undefined);
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  if (err.status === 401) reply.header('www-authenticate', 'Bearer');
  return reply
    .code(err.status)
    .type('application/problem+json')
    .send(JSON.stringify(problem(err)));
}

export function useErrors(app: FastifyInstance): void {
  app.setErrorHandler((thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const err = toSignalboxError(thrown);
    if (err.status >= 500) request.log.error({ err: thrown }, err.message);
    return sendProblem(reply, err);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new SignalboxError('not-found', `no route ${request.method} ${request.url.split('?')[0] ?? ''}`),
    ),
  );
}
