/** The client of the HTTP API that every command uses: finds its instance, sends, and turns problems into errors. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Fault } from '../domain/errors.js';

/** What `signalbox up` leaves in its data directory while it runs. */
interface UpFile {
  api: string;
  token: string;
}

export interface InstanceOptions {
  api?: string | undefined;
  token?: string | undefined;
}

/** What the process was started with; cli/environment.ts reads it. */
export interface InstanceEnvironment {
  /** SIGNALBOX_API, SIGNALBOX_TOKEN */
  api: string | undefined;
  token: string | undefined;
  dataDir: string;
}

/** A refusal of the API: `problem` is the application/problem+json object. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Record<string, unknown>;

  constructor(status: number, problem: Record<string, unknown>) {
    super(typeof problem.detail === 'string' ? problem.detail : `HTTP ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
  }

  get faults(): Fault[] {
    return Array.isArray(this.problem.faults) ? (this.problem.faults as Fault[]) : [];
  }
}

/** What the user can mend: shown as `error: …`, without a stack. */
export class UsageError extends Error {}

async function readUpFile(dataDir: string): Promise<UpFile | null> {
  try {
    const value = JSON.parse(await readFile(path.join(dataDir, 'up.json'), 'utf8')) as Partial<UpFile>;
    return typeof value.api === 'string' && typeof value.token === 'string'
      ? { api: value.api, token: value.token }
      : null;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT' || err instanceof SyntaxError) return null;
    throw err;
  }
}

/** Options, else environment, else the instance that runs on the data directory. */
export async function findInstance(
  options: InstanceOptions,
  env: InstanceEnvironment,
): Promise<{ api: string; token: string }> {
  const api = options.api ?? env.api;
  const token = options.token ?? env.token;
  if (api !== undefined && !isAddress(api)) {
    throw new UsageError(
      `${api} is not an address of an API: write one like http://127.0.0.1:7700 (--api, SIGNALBOX_API)`,
    );
  }
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError('that is not a token: one is written sbx_… (--token, SIGNALBOX_TOKEN)');
  }
  if (api !== undefined && token !== undefined) return { api, token };
  const up = await readUpFile(env.dataDir);
  if (api !== undefined && up?.api !== api.replace(/\/$/, '')) {
    throw new UsageError(`no token for ${api}: give --token or SIGNALBOX_TOKEN`);
  }
  if (up === null) {
    throw new UsageError(
      `no instance runs on ${env.dataDir}: start one with "signalbox up", or give --api and --token (SIGNALBOX_API, SIGNALBOX_TOKEN)`,
    );
  }
  return { api: api ?? up.api, token: token ?? up.token };
}

const isAddress = (text: string): boolean => /^https?:\/\/./.test(text) && URL.canParse(text);

export type Query = Record<string, string | number | boolean | undefined>;

export interface Client {
  api: string;
  get<T>(route: string, query?: Query): Promise<T>;
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', route: string, body?: unknown): Promise<T>;
  /** The document itself. */
  text(route: string, query?: Query): Promise<string>;
  /** Messages of a server-sent event stream, until it ends; reconnecting is the caller's. */
  events(
    route: string,
    query?: Query,
    lastEventId?: string,
  ): AsyncGenerator<{ id: string; event: string; data: string }>;
}

/** Path segments from outside, encoded: `at('tasks', repo, item)` → `/api/tasks/web/ET-012`. */
export const at = (...segments: string[]): string => `/api/${segments.map(encodeURIComponent).join('/')}`;

export function createClient(instance: { api: string; token: string }): Client {
  const base = instance.api.replace(/\/$/, '');
  const request = async (route: string, init: RequestInit, query: Query = {}): Promise<Response> => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
    const url = `${base}${route}${search.size > 0 ? `?${search.toString()}` : ''}`;
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${instance.token}`);
    let response: Response;
    try {
      response = await fetch(url, { ...init, headers, redirect: 'error' });
    } catch (err) {
      const cause = (err as Error).cause;
      throw new UsageError(
        `${base} does not answer: ${cause instanceof Error ? cause.message : (err as Error).message}`,
      );
    }
    if (!response.ok) throw new ApiError(response.status, await readProblem(base, response));
    return response;
  };
  return {
    api: base,
    get: async <T>(route: string, query?: Query) => (await answerOf(base, await request(route, {}, query))) as T,
    send: async <T>(method: string, route: string, body?: unknown) => {
      const init: RequestInit =
        body === undefined
          ? { method }
          : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      return (await answerOf(base, await request(route, init))) as T;
    },
    text: async (route, query) => (await request(route, {}, query)).text(),
    events: async function* (route, query, lastEventId) {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
      const response = await request(route, { headers }, query);
      if (response.body !== null) yield* parseEvents(response.body);
    },
  };
}

const foreign = (base: string, { status, headers }: Response): string =>
  `${base} is not a Signalbox API: it answers HTTP ${status} with ${headers.get('content-type') ?? 'no content type'}`;

async function answerOf(base: string, response: Response): Promise<unknown> {
  const body = await response.text();
  try {
    return JSON.parse(body);
  } catch (err) {
    throw new UsageError(foreign(base, response), { cause: err });
  }
}

/** Every refusal of ours has a code; one without comes from another server, or from a proxy before ours. */
async function readProblem(base: string, response: Response): Promise<Record<string, unknown>> {
  const body = await response.text();
  const stranger = { detail: foreign(base, response) };
  try {
    const problem = JSON.parse(body) as Record<string, unknown> | null;
    return typeof problem?.code === 'string' ? problem : stranger;
  } catch {
    return stranger; // not JSON
  }
}

async function* parseEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<{ id: string; event: string; data: string }> {
  let rest = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map<string, string>();
      for (const row of block.split('\n')) {
        const colon = row.indexOf(':');
        if (colon > 0) fields.set(row.slice(0, colon), row.slice(colon + 1).trimStart());
      }
      const data = fields.get('data');
      if (data !== undefined) yield { id: fields.get('id') ?? '', event: fields.get('event') ?? 'message', data };
    }
  }
}
