/**
 * The error registry: every error a user, a program or a workflow can meet, once. The code is stable for ever; `status`
 * is the HTTP answer; `retryable` says whether the same call may succeed later without anybody changing anything.
 *
 * Who throws what: domain code returns results and throws only for broken invariants (`internal`). Activities and the
 * store throw SignalboxError; one function (activities/failure.ts) turns it into Temporal's ApplicationFailure, with
 * the code as its type. The API turns it into application/problem+json. Nobody catches an error to go on as if
 * nothing happened.
 */
export const ERRORS = {
  'invalid-request': { status: 400, retryable: false, title: 'The request is malformed' },
  unauthenticated: { status: 401, retryable: false, title: 'A valid token is needed' },
  forbidden: { status: 403, retryable: false, title: 'The token may not do this' },
  'not-found': { status: 404, retryable: false, title: 'There is no such thing' },
  conflict: { status: 409, retryable: false, title: 'Not possible in this state' },
  'stale-decision': { status: 409, retryable: false, title: 'The decision names something that is not current' },
  'too-large': { status: 413, retryable: false, title: 'The body is too large' },
  'range-not-satisfiable': { status: 416, retryable: false, title: 'The range lies outside of the document' },
  'unknown-host': { status: 421, retryable: false, title: 'This server does not answer for that host name' },
  'not-acceptable': { status: 422, retryable: false, title: 'Understood, but not acceptable' },
  'not-available': { status: 422, retryable: false, title: 'This version does not have that yet' },
  'invalid-pipeline': { status: 422, retryable: false, title: 'The pipeline is not valid' },
  'unreachable-remote': { status: 422, retryable: false, title: 'The remote cannot be used' },
  'idempotency-mismatch': { status: 422, retryable: false, title: 'The idempotency key was used for another request' },
  'rate-limited': { status: 429, retryable: true, title: 'Too many requests' },
  internal: { status: 500, retryable: false, title: 'Something is wrong on our side' },
  'no-worker': { status: 503, retryable: true, title: 'No worker answered in time' },
  unavailable: { status: 503, retryable: true, title: 'A part that this needs is away' },
  // Inside activities:
  database: { status: 503, retryable: true, title: 'Postgres did not answer' },
  'git-infrastructure': {
    status: 503,
    retryable: true,
    title: 'git or the remote failed for reasons outside of the content',
  },
  'forge-infrastructure': { status: 503, retryable: true, title: 'The forge did not answer' },
  'forge-refused': { status: 422, retryable: false, title: 'The forge refuses' },
  'gate-busy': { status: 503, retryable: true, title: 'Another process holds the lock of the gate repository' },
  'host-infrastructure': { status: 503, retryable: true, title: 'The host failed for reasons outside of the task' },
  'worker-lost': { status: 503, retryable: true, title: 'The worker that ran this is gone' },
  superseded: { status: 409, retryable: false, title: 'A newer run or attempt owns this now' },
  'invalid-setting': { status: 500, retryable: false, title: 'A setting has a value that is not allowed' },
  'start-failed': { status: 500, retryable: false, title: 'Signalbox cannot start' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** One fault in a request: where, what was found, what is allowed. */
export interface Fault {
  field: string;
  value?: unknown;
  message: string;
}

export interface ErrorData {
  faults?: Fault[];
  /** Seconds after which a retry makes sense (HTTP Retry-After). */
  retryAfter?: number;
  [key: string]: unknown;
}

/** The one error class. `code` is in the registry, `detail` is for people, `data` for programs. */
export class SignalboxError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, detail: string, data: ErrorData = {}, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'SignalboxError';
    this.code = code;
    this.data = data;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get title(): string {
    return ERRORS[this.code].title;
  }
}

/** Marks code that cannot be reached; the compiler proves it. */
export function assertNever(value: never): never {
  throw new SignalboxError('internal', `unexpected value ${JSON.stringify(value)}`);
}
