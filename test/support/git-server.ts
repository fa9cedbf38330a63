/** Private remotes on loopback: git's own smart HTTP server behind basic authentication. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GitServer {
  /** Of the repository `name` below the served directory. */
  url(name: string): string;
  /** Method and address of every request. */
  asked: string[];
  /** From now on the next request to this service is carried out, and its connection cut instead of answered. */
  cutAfter(service: string): void;
  /** How many were cut. */
  cuts(): number;
  close(): Promise<void>;
}

/** Serves the bare repositories in `root` (with `http.receivepack`) to whoever knows the user and the password. */
export async function serveGit(root: string, user: string, password: string): Promise<GitServer> {
  const asked: string[] = [];
  const cut: Cut = { service: null, done: 0 };
  const server = gitServer(root, `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`, asked, cut);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    asked,
    cutAfter: (service) => (cut.service = service),
    cuts: () => cut.done,
    url: (name) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Cut {
  service: string | null;
  done: number;
}

function gitServer(root: string, authorization: string, asked: string[], cut: Cut): Server {
  return createServer((req, res) => {
    asked.push(`${req.method ?? ''} ${req.url ?? ''}`);
    if (req.headers.authorization !== authorization) {
      res.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    const url = new URL(req.url ?? '/', 'http://localhost');
    const encoding = req.headers['content-encoding'];
    const backend = spawn('git', ['http-backend'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...{ PATH: process.env['PATH'], GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', REMOTE_USER: 'x' },
        ...{ PATH_INFO: url.pathname, QUERY_STRING: url.search.slice(1), REQUEST_METHOD: req.method ?? '' },
        CONTENT_TYPE: req.headers['content-type'] ?? '',
        ...(encoding === undefined ? {} : { HTTP_CONTENT_ENCODING: encoding }),
        ...(req.headers['git-protocol'] === undefined ? {} : { GIT_PROTOCOL: String(req.headers['git-protocol']) }),
      },
    });
    req.pipe(backend.stdin);
    const chunks: Buffer[] = [];
    backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    backend.once('close', () => {
      if (cut.service !== null && req.method === 'POST' && url.pathname.endsWith(`/${cut.service}`)) {
        cut.service = null;
        cut.done += 1;
        res.destroy();
        return;
      }
      const out = Buffer.concat(chunks);
      const end = out.indexOf('\r\n\r\n');
      let status = 200;
      for (const line of out.subarray(0, end).toString('latin1').split('\r\n')) {
        const [name = '', value = ''] = line.split(': ', 2);
        if (name.toLowerCase() === 'status') status = Number(value.slice(0, 3));
        else res.setHeader(name, value);
      }
      res.writeHead(status).end(out.subarray(end + 4));
    });
  });
}
