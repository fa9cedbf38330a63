/** The real API server on a fresh database, with the shared Temporal, for test files. Requests go through `inject`. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino, type Logger } from 'pino';
import { examineForge } from '../../activities/forge/index.js';
import { adoptRemote, createGitReader, gitHostFor } from '../../activities/git/index.js';
import { hostPaths } from '../../activities/paths.js';
import { hashSecret, newSecret, SCOPES } from '../../api/auth.js';
import type { App } from '../../api/context.js';
import type { ApiDeps } from '../../api/deps.js';
import { createServer } from '../../api/server.js';
import { parseSettings } from '../../domain/settings.js';
import { instanceId } from '../../store/instance.js';
import { createToken } from '../../store/tokens.js';
import { createTestDatabase, type TestDatabase } from './postgres.js';
import { connectTemporal, type TestTemporal } from './temporal.js';

export interface Reply {
  status: number;
  headers: LightMyRequestResponse['headers'];
  text: string;
  /** The body as JSON; undefined when it is none. */
  json: unknown;
}

export interface TestApi {
  app: App;
  deps: ApiDeps;
  database: TestDatabase;
  temporal: TestTemporal;
  /** A directory of this file, removed at the end. */
  dir: string;
  /** Has every scope. */
  token: string;
  newToken(scopes?: readonly string[], repos?: readonly string[] | null): Promise<string>;
  call(
    method: string,
    url: string,
    body?: unknown,
    options?: { token?: string | null; headers?: object },
  ): Promise<Reply>;
  /** A bare remote with one commit on main. */
  newRemote(name: string): Promise<string>;
  close(): Promise<void>;
}

/** @param logger hears what the API logs; else nobody does */
export async function startApi(
  env: Record<string, string> = {},
  logger: Logger = pino({ level: 'silent' }),
): Promise<TestApi> {
  const [database, temporal, dir] = await Promise.all([
    createTestDatabase(),
    connectTemporal(),
    mkdtemp(path.join(os.tmpdir(), 'signalbox-api-')),
  ]);
  const git = gitHostFor({ paths: hostPaths(dir), lookup: (name) => process.env[name] });
  const deps: ApiDeps = {
    pool: database.pool,
    temporal: temporal.client,
    settings: parseSettings(env),
    adoptRemote: async (request) => adoptRemote(git, { ...request, instance: await instanceId(database.pool) }),
    examineForge: async (repo) => examineForge(git.lookup, repo),
    gitReader: createGitReader(git),
    version: '0.0.0-test',
    allowedHosts: ['signalbox.test'],
    logger,
    runsDir: path.join(dir, 'runs'),
  };
  const app = await createServer(deps);
  const newToken: TestApi['newToken'] = async (scopes = SCOPES, repos = null) => {
    const secret = newSecret('sbx_');
    await createToken(database.pool, { name: 'test', hash: hashSecret(secret), scopes, repos, expiresAt: null });
    return secret;
  };
  const token = await newToken();
  return {
    app,
    deps,
    database,
    temporal,
    dir,
    token,
    newToken,
    call: async (method, url, body, { token: other, headers } = {}) => {
      const bearer = other === undefined ? token : other;
      const request: InjectOptions = {
        method: method,
        url,
        headers: {
          ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      };
      return replyOf(await app.inject(request));
    },
    newRemote: (name) => newRemote(path.join(dir, name)),
    close: async () => {
      await app.close();
      await Promise.all([database.drop(), temporal.close(), rm(dir, { recursive: true, force: true })]);
    },
  };
}

function replyOf(response: LightMyRequestResponse): Reply {
  const type = String(response.headers['content-type'] ?? '');
  const json: unknown = type.includes('json') && response.body !== '' ? response.json() : undefined;
  return { status: response.statusCode, headers: response.headers, text: response.body, json };
}

async function newRemote(work: string): Promise<string> {
  const git = (...args: string[]) => execa('git', ['-C', work, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args]);
  await execa('git', ['init', '-q', '-b', 'main', work]);
  await git('commit', '-q', '--allow-empty', '-m', 'first');
  await execa('git', ['clone', '-q', '--bare', work, `${work}.git`]);
  return `${work}.git`;
}
