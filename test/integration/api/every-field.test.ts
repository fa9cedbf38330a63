/**
 * Every field of every request wrong once, made from the document of all routes: refused by name, and nothing stored.
 * What no schema can know (addresses, references, pipelines, states) is in requests.test.ts.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../../domain/errors.js';
import { startApi, type Reply, type TestApi } from '../../support/api.js';
import { stored } from '../../support/stored.js';
import { wrongBodies, wrongTexts, type Schema } from '../../support/wrong-values.js';

interface Operation {
  parameters?: { in: 'path' | 'query'; name: string; schema: Schema }[];
  requestBody?: { content: { 'application/json': { schema: Schema } } };
}

// access.test.ts sees to it that this document is what the routes say.
const { paths } = JSON.parse(readFileSync(new URL('../../../api/openapi.json', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Operation>>;
};
const OPERATIONS = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const KNOWN: Record<string, string> = { repo: 'web', workItem: 'ET-001', stage: 'work', entry: 'a'.repeat(32) };

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
  expect((await api.call('POST', '/api/repos', { id: 'web', remote: await api.newRemote('web') })).status).toBe(201);
  expect((await api.call('POST', '/api/tasks', { repo: 'web', title: 'One' })).status).toBe(201);
});
afterAll(() => api.close());

/** The address with known resources, but for what is given. */
const address = (path: string, given: Record<string, string> = {}): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given[name] ?? KNOWN[name] ?? 'x'));

function refused(reply: Reply, field: string, what: string, status = 400): void {
  const problem = reply.json as { status: number; code: string; faults?: Fault[] } | undefined;
  const fields = (problem?.faults ?? []).map((fault) => fault.field);
  const found = { what, field, status: reply.status, code: problem?.code, named: fields.includes(field) };
  const code = status === 400 ? 'invalid-request' : 'not-available';
  expect(found, reply.text.slice(0, 500)).toEqual({ what, field, status, code, named: true });
}

const WITH_BODY = OPERATIONS.filter(({ operation }) => operation.requestBody);
const WITH_PARAMETERS = OPERATIONS.filter(({ operation }) => operation.parameters);

describe.each(WITH_BODY)('$method $path', ({ method, path, operation }) => {
  it('refuses every wrong body', async () => {
    const before = await stored(api.database.pool);
    const schema = operation.requestBody?.content['application/json'].schema ?? {};
    for (const { field, body, status, what } of wrongBodies(schema)) {
      const reply = await api.call(method, address(path), body);
      if (field === '') expect([what, reply.status]).toEqual([what, 400]);
      else refused(reply, field, what, status);
    }
    expect(await stored(api.database.pool)).toBe(before);
  });
});

describe.each(WITH_PARAMETERS)('$method $path', ({ method, path, operation }) => {
  it('refuses every wrong parameter', async () => {
    const before = await stored(api.database.pool);
    const body = operation.requestBody ? {} : undefined;
    for (const { in: place, name, schema } of operation.parameters ?? []) {
      for (const text of wrongTexts(schema)) {
        const inPath = place === 'path';
        // What is longer than a segment of a path may be finds no route.
        const url = inPath ? address(path, { [name]: text }) : `${address(path)}?${name}=${encodeURIComponent(text)}`;
        const reply = await api.call(method, url, body);
        const asked = `${name}=${text.slice(0, 40)}`;
        expect([asked, reply.status, reply.text.slice(0, 300)]).toEqual([asked, 400, reply.text.slice(0, 300)]);
        expect(reply.text).toContain(name);
      }
    }
    const queried = (operation.parameters ?? []).some((parameter) => parameter.in === 'query');
    if (queried) refused(await api.call(method, `${address(path)}?unheard=1`), 'unheard', 'an unknown parameter');
    expect(await stored(api.database.pool)).toBe(before);
  });
});

it('knows requests with a body and with parameters', () => {
  expect(WITH_BODY.length).toBeGreaterThan(15);
  expect(WITH_PARAMETERS.length).toBeGreaterThan(20);
});
