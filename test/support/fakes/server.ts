/** A forge on loopback: a table of routes; whatever is not in it, or not shaped as it says, is refused and noted. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FakeUser, ForgeModel } from './model.js';

export interface Asked {
  /** Of the pattern. */
  params: Record<string, string>;
  query: URLSearchParams;
  body: Record<string, unknown>;
  user: FakeUser;
}

export interface Answer {
  status: number;
  body?: unknown;
}

/** `text` is required, `text?` may be left out. */
export type Shape = Record<string, 'text' | 'text?' | 'list?'>;

export interface Route {
  method: string;
  /** `/repos/:owner/:repo/pulls` below the API's root. */
  path: string;
  /** Of the body; absent = none is sent. */
  body?: Shape;
  /** Query parameters that are known. */
  query?: string[];
  /** Least permission. */
  level?: FakeUser['level'];
  answer(asked: Asked): Answer;
}

export interface ForgeStyle {
  /** Before every path. */
  root: string;
  /** The token of a request by the header that this forge takes; null where there is none in that form. */
  token(headers: IncomingMessage['headers']): string | null;
  /** Body of a refusal. */
  refusal(message: string): unknown;
  routes: Route[];
}

const LEVELS = ['read', 'write', 'admin'];

export class FakeForge {
  readonly model: ForgeModel;
  /** Method, path and query of every request. */
  readonly asked: string[] = [];
  /** What no real forge would have understood. A test expects none. */
  readonly misunderstood: string[] = [];
  /** Answers every request so, while set. */
  down: 503 | 'hang' | null = null;
  readonly #style: ForgeStyle;
  readonly #server;

  constructor(model: ForgeModel, style: ForgeStyle) {
    this.model = model;
    this.#style = style;
    this.#server = createServer((req, res) => {
      void this.#serve(req).then((answer) => {
        if (answer === null) return;
        res.writeHead(answer.status, { 'content-type': 'application/json' });
        res.end(answer.status === 204 ? undefined : JSON.stringify(answer.body ?? {}));
      });
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** What `forge.api` is. */
  get api(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(req: IncomingMessage): Promise<Answer | null> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const url = new URL(req.url ?? '/', 'http://localhost');
    this.asked.push(`${req.method ?? ''} ${decodeURIComponent(url.pathname)}${url.search}`);
    if (this.down === 'hang') return null;
    if (this.down !== null) return this.#no(this.down, 'down for maintenance');
    this.model.sync();
    const route = this.#find(req.method ?? '', url.pathname);
    if (route === null) return this.#misunderstand(404, `no route ${req.method ?? ''} ${url.pathname}`);
    const token = this.#style.token(req.headers);
    if (token === null) return this.#misunderstand(401, 'no token in the header of this forge');
    const user = this.model.users.get(token);
    if (user === undefined) return this.#no(401, 'Bad credentials');
    const named = route.params['project'] ?? `${route.params['owner'] ?? ''}/${route.params['repo'] ?? ''}`;
    if (named !== '/' && named !== this.model.project) return this.#no(404, 'Not Found');
    if (LEVELS.indexOf(user.level) < LEVELS.indexOf(route.route.level ?? 'read')) return this.#no(403, 'Forbidden');
    const unknown = [...url.searchParams.keys()].filter((key) => !(route.route.query ?? []).includes(key));
    if (unknown.length > 0) return this.#misunderstand(400, `unknown query ${unknown.join(', ')}`);
    const read = readBody(Buffer.concat(chunks).toString('utf8'), req.headers['content-type'], route.route.body);
    if (typeof read === 'string') return this.#misunderstand(422, read);
    return route.route.answer({ params: route.params, query: url.searchParams, body: read, user });
  }

  #find(method: string, pathname: string): { route: Route; params: Record<string, string> } | null {
    const { root, routes } = this.#style;
    const asked = pathname.startsWith(`${root}/`) ? pathname.slice(root.length).split('/') : [];
    for (const route of routes.filter((r) => r.method === method)) {
      const parts = route.path.split('/');
      if (parts.length !== asked.length) continue;
      if (!parts.every((part, i) => part.startsWith(':') || part === asked[i])) continue;
      const params = parts.flatMap((part, i) =>
        part.startsWith(':') ? [[part.slice(1), decodeURIComponent(asked[i] ?? '')] as const] : [],
      );
      return { route, params: Object.fromEntries(params) };
    }
    return null;
  }

  #misunderstand(status: number, why: string): Answer {
    this.misunderstood.push(`${this.asked.at(-1) ?? ''}: ${why}`);
    return this.#no(status, why);
  }

  #no(status: number, why: string): Answer {
    return { status, body: this.#style.refusal(why) };
  }
}

/** The body, or what is wrong with it. */
function readBody(text: string, type: string | undefined, shape: Shape | undefined): Record<string, unknown> | string {
  if (shape === undefined) return text === '' ? {} : 'a body where none is taken';
  if (type?.split(';')[0] !== 'application/json') return `content type ${type ?? 'missing'}`;
  const body = JSON.parse(text) as Record<string, unknown>;
  for (const [name, value] of Object.entries(body)) {
    const kind = shape[name];
    if (kind === undefined) return `unknown field ${name}`;
    if (kind === 'list?' ? !Array.isArray(value) : typeof value !== 'string') return `${name} is not ${kind}`;
  }
  const missing = Object.entries(shape).find(([name, kind]) => kind === 'text' && !(name in body));
  return missing === undefined ? body : `${missing[0]} is missing`;
}

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const created = (body: unknown): Answer => ({ status: 201, body });
/** A field of a body that the shape has as text. */
export function textOf(body: Record<string, unknown>, name: string): string {
  const text = body[name];
  return typeof text === 'string' ? text : '';
}
