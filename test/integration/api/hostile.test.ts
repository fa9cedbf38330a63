/** Requests that want to hurt: over a real socket where the socket is the weapon. */
import { createConnection } from 'node:net';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../support/api.js';

let api: TestApi;
let port: number;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', '/api/agent-profiles/default', { command: ['true'] });
  for (const id of ['web', 'app']) await api.call('POST', '/api/repos', { id, remote: await api.newRemote(id) });
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  port = (api.app.server.address() as AddressInfo).port;
});
afterAll(() => api.close());

const post = (
  body: string | Buffer | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/api/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.token}`, 'content-type': 'application/json', ...headers },
    body,
    ...{ duplex: 'half' },
  });

const tasks = async (): Promise<number> =>
  Number((await api.database.pool.query<{ n: number }>('SELECT count(*) AS n FROM tasks')).rows[0]?.n);

describe('bodies', () => {
  it('reads no more of 100 MB than it must', async () => {
    const before = process.memoryUsage().rss;
    let sent = 0;
    const socket = createConnection(port, '127.0.0.1');
    const answer = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (data) => (text += data.toString()));
      socket.on('error', () => resolve(text)); // the server hangs up on us: that is the point
      socket.on('close', () => resolve(text));
    });
    socket.write(
      `POST /api/tasks HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${api.token}\r\n` +
        'content-type: application/json\r\ncontent-length: 104857600\r\nconnection: close\r\n\r\n',
    );
    const chunk = Buffer.alloc(64 * 1024, 0x20);
    while (!socket.destroyed && sent < 100 * 1024 * 1024) {
      sent += chunk.length;
      if (!socket.write(chunk))
        await new Promise((resolve) => (socket.once('drain', resolve), socket.once('close', resolve)));
    }
    socket.end();
    expect((await answer).split('\r\n')[0]).toContain('413');
    expect(process.memoryUsage().rss - before).toBeLessThan(80 * 1024 * 1024);
  });

  it('takes 413 for a body of unknown length too', async () => {
    const endless = new ReadableStream<Uint8Array>({ pull: (c) => c.enqueue(new Uint8Array(16 * 1024).fill(0x20)) });
    const status = await post(endless).then(
      (response) => response.status,
      () => 413, // hung up before the answer could be read
    );
    expect(status).toBe(413);
  });

  it('unpacks nothing', async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, 0x20));
    expect((await post(bomb, { 'content-encoding': 'gzip' })).status).toBeGreaterThanOrEqual(400);
    const honest = gzipSync(JSON.stringify({ repo: 'web', title: 'packed' }));
    expect((await post(honest, { 'content-encoding': 'gzip' })).status).toBe(400);
  });

  it('does not go 30,000 levels deep', async () => {
    const depth = 30_000;
    expect((await post('['.repeat(depth) + ']'.repeat(depth))).status).toBe(400);
    const deep = `{"repo":"web","title":"x","pipeline":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}`;
    expect((await post(deep)).status).toBe(400);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'x',
  ])('does not read %s', async (type) => {
    expect((await post('{"repo":"web","title":"x"}', { 'content-type': type })).status).toBe(400);
  });

  describe('a client that trickles', () => {
    const limits = { headersTimeout: 0, requestTimeout: 0 };
    beforeAll(() => {
      const { server } = api.app;
      Object.assign(limits, { headersTimeout: server.headersTimeout, requestTimeout: server.requestTimeout });
      Object.assign(server, { headersTimeout: 500, requestTimeout: 800 });
    });
    afterAll(() => void Object.assign(api.app.server, limits));

    const MARK = 'the token';
    const head =
      `POST /api/tasks HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${MARK}\r\n` +
      'content-type: application/json\r\ncontent-length: 4096\r\n';

    /** Sends `first`, then a byte every 50 ms for as long as it is let; gives what was answered. */
    async function trickle(first: string): Promise<string> {
      const socket = createConnection(port, '127.0.0.1');
      let answer = '';
      socket.on('data', (data) => (answer += data.toString()));
      socket.on('error', () => undefined); // the server hangs up on us: that is the point
      if (first !== '') socket.write(first);
      const drip = setInterval(() => first !== '' && socket.writable && socket.write('a'), 50);
      await new Promise((resolve) => socket.once('close', resolve));
      clearInterval(drip);
      return answer;
    }

    it.each([
      ['nothing', ''],
      ['its headers', head],
      ['its body', `${head}\r\n`],
    ])('%s is cut off, and others are served meanwhile', async (_, first) => {
      const sent = first.replace(MARK, api.token);
      const slow = Promise.all(Array.from({ length: 20 }, () => trickle(sent)));
      const over = new AbortController();
      void slow.then(() => over.abort());
      let served = 0;
      while (!over.signal.aborted) {
        const reply = await fetch(`http://127.0.0.1:${port}/health/live`);
        expect(reply.status).toBe(200);
        served += 1;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      expect(served).toBeGreaterThan(5);
      for (const answer of await slow) expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
    });

    it('has little time where nobody makes it less', () => {
      expect(limits.requestTimeout).toBeLessThanOrEqual(30_000);
      expect(limits.headersTimeout).toBeLessThanOrEqual(15_000);
    });
  });

  it('stored nothing of all that', async () => {
    expect(await tasks()).toBe(0);
  });
});

describe('the same task a hundred times at once', () => {
  it('is one task', async () => {
    const body = { repo: 'web', title: 'Same', source: 'plane', externalId: 'issue-1' };
    const replies = await Promise.all(Array.from({ length: 100 }, () => api.call('POST', '/api/tasks', body)));
    const made = replies.map((reply) => (reply.json as { task: string }).task);
    expect(new Set(made)).toEqual(new Set(['web/ET-001']));
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1);
    expect(replies.filter((reply) => reply.status === 200)).toHaveLength(99);
    // Over all repositories.
    const elsewhere = await api.call('POST', '/api/tasks', { ...body, repo: 'app' });
    expect([elsewhere.status, (elsewhere.json as { task: string }).task]).toEqual([200, 'web/ET-001']);
    const { rows } = await api.database.pool.query(`SELECT key FROM outbox WHERE kind = 'start-task'`);
    expect(rows).toEqual([{ key: 'start:web/ET-001:g1' }]);
  });

  it('has distinct numbers when they are different', async () => {
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, i) => api.call('POST', '/api/tasks', { repo: 'app', title: `Task ${i}` })),
    );
    expect(new Set(replies.map((reply) => (reply.json as { task: string }).task)).size).toBe(30);
  });

  it('has one live task for a branch', async () => {
    const body = { repo: 'web', title: 'Branch', branch: 'feature/x' };
    const replies = await Promise.all(Array.from({ length: 10 }, () => api.call('POST', '/api/tasks', body)));
    expect(replies.map((reply) => reply.status).sort()).toEqual([201, ...Array<number>(9).fill(409)]);
  });
});

describe('words that are code elsewhere', () => {
  it.each([
    `'; DROP TABLE tasks; --`,
    `x" OR SignalboxRepo="web`,
    '${jndi:ldap://x}',
    '<script>alert(1)</script>',
    '😀',
  ])('keeps the title %j as text', async (title) => {
    const reply = await api.call('POST', '/api/tasks', { repo: 'web', title, source: 's', externalId: title });
    expect(reply.status).toBe(201);
    expect(reply.json).toMatchObject({ title, externalId: title });
    const found = await api.call('GET', `/api/tasks?source=s&externalId=${encodeURIComponent(title)}`);
    expect((found.json as { items: object[] }).items).toHaveLength(1);
  });
});

describe('logs', () => {
  const text = 'eins\nzwei\ndrei – ü\n';

  async function newRun(id: string, repo: string, logPath: string): Promise<void> {
    await api.database.pool.query(
      `INSERT INTO agent_runs (id, repo, work_item, generation, stage, attempt, agent, adapter, host, status, log_path)
       VALUES ($1, $2, 'ET-001', 1, 'analysis', 1, 'default', 'command', 'h1', 'passed', $3)`,
      [id, repo, logPath],
    );
  }

  beforeAll(async () => {
    const runs = api.deps.runsDir;
    await mkdir(path.join(runs, 'r1'), { recursive: true });
    await mkdir(path.join(runs, 'r2'));
    await writeFile(path.join(runs, 'r1', 'out.jsonl'), text);
    await symlink('/etc/passwd', path.join(runs, 'r2', 'out.jsonl'));
    await newRun('r1', 'web', path.join(runs, 'r1', 'out.jsonl'));
    await newRun('r2', 'web', path.join(runs, 'r2', 'out.jsonl'));
    await newRun('r3', 'web', '/etc/passwd');
    await newRun('r4', 'web', path.join(runs, 'r1', '..', '..', '..', 'etc', 'passwd'));
    await newRun('r5', 'app', path.join(runs, 'r1', 'out.jsonl'));
  });

  it('gives the whole and the part', async () => {
    expect((await api.call('GET', '/api/runs/r1/log')).text).toBe(text);
    const part = await api.call('GET', '/api/runs/r1/log', undefined, { headers: { range: 'bytes=5-8' } });
    expect([part.status, part.text, part.headers['content-range']]).toEqual([206, 'zwei', 'bytes 5-8/22']);
    const tail = await api.call('GET', '/api/runs/r1/log', undefined, { headers: { range: 'bytes=-3' } });
    expect([tail.status, tail.text]).toEqual([206, 'ü\n']);
  });

  it('gives what was printed on stderr and by the setup by itself, and no other file', async () => {
    const runs = api.deps.runsDir;
    await writeFile(path.join(runs, 'r1', 'err.log'), 'boom: no API key\n');
    expect((await api.call('GET', '/api/runs/r1/log?stream=stderr')).text).toBe('boom: no API key\n');
    expect((await api.call('GET', '/api/runs/r1/log?stream=stdout')).text).toBe(text);
    const part = { headers: { range: 'bytes=0-3' } };
    expect((await api.call('GET', '/api/runs/r1/log?stream=stderr', undefined, part)).text).toBe('boom');
    expect((await api.call('GET', '/api/runs/r1/log?stream=stderr&follow=true')).text).toContain('no API key');
    expect((await api.call('GET', '/api/runs/r1/log?stream=setup')).status).toBe(404);
    await symlink('/etc/passwd', path.join(runs, 'r2', 'err.log'));
    const linked = await api.call('GET', '/api/runs/r2/log?stream=stderr');
    expect([linked.status, linked.text.includes('root:')]).toEqual([404, false]);
    for (const name of ['exit.json', '../r2/out.jsonl', 'toString', '']) {
      expect((await api.call('GET', `/api/runs/r1/log?stream=${encodeURIComponent(name)}`)).status).toBe(400);
    }
  });

  it('has nothing beyond the end', async () => {
    for (const range of ['bytes=22-', 'bytes=100-200', 'bytes=9-3']) {
      const reply = await api.call('GET', '/api/runs/r1/log', undefined, { headers: { range } });
      expect([range, reply.status, reply.headers['content-range']]).toEqual([range, 416, 'bytes */22']);
    }
  });

  it('follows no link, leaves no directory, crosses to no other repository', async () => {
    for (const run of ['r2', 'r3', 'r4']) {
      const reply = await api.call('GET', `/api/runs/${run}/log`);
      expect([run, reply.status]).toEqual([run, 404]);
      expect(reply.text).not.toContain('root:');
    }
    for (const run of ['..%2F..%2Fetc%2Fpasswd', '....', '%2e%2e']) {
      expect((await api.call('GET', `/api/runs/${run}/log`)).status).toBeGreaterThanOrEqual(400);
    }
    const token = await api.newToken(['tasks:read'], ['web']);
    expect((await api.call('GET', '/api/runs/r5/log', undefined, { token })).status).toBe(403);
  });

  it('streams to the end and resumes inside', async () => {
    const read = async (headers: object): Promise<string> => {
      const reply = await api.call('GET', '/api/runs/r1/log?follow=true', undefined, { headers });
      const lines = reply.text.split('\n').filter((line) => line.startsWith('data: '));
      return lines.map((line) => (JSON.parse(line.slice(6)) as { text: string }).text).join('');
    };
    expect(await read({})).toBe(text);
    expect(await read({ 'last-event-id': '10' })).toBe(text.slice(10));
  });
});
