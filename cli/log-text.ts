/**
 * The output of a run: its stdout on our stdout, its stderr on our stderr with a mark before each line, so that a
 * terminal shows both and a pipe gets only what a program meant for one.
 */
import type { Command } from 'commander';
import { ApiError, at } from './client.js';
import { clientCommand, type Session } from './context.js';
import { plain } from './output.js';

export interface LogOptions {
  follow?: boolean;
  stderr?: boolean;
  setup?: boolean;
}

type Stream = 'stdout' | 'stderr' | 'setup';

export function logCommand(parent: Command, name: string, description: string): Command {
  return clientCommand(parent, name, `${description}: what it printed on stdout, and on stderr`)
    .option('--follow', 'stay and show new output')
    .option('--stderr', 'only what it printed on stderr, as it is')
    .option('--setup', 'what the setup before it printed');
}

const MARK = 'stderr| ';

/** Marks each line; a line comes out once it is whole, and what is left at the end by `end`. */
export function lineMarker(write: (text: string) => void): { add: (text: string) => void; end: () => void } {
  let rest = '';
  return {
    add(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (lines.length > 0) write(lines.map((line) => `${MARK}${line}\n`).join(''));
    },
    end() {
      if (rest !== '') write(`${MARK}${rest}\n`);
    },
  };
}

/** @param route of a log that takes `stream` */
export async function showLog(session: Session, route: string, options: LogOptions): Promise<void> {
  const read = options.follow === true ? follow : readAll;
  if (options.stderr === true || options.setup === true) {
    await read(session, route, options.stderr === true ? 'stderr' : 'setup', session.write);
    return;
  }
  const marked = lineMarker(session.writeError);
  const errors = () => read(session, route, 'stderr', marked.add).catch(unlessNone);
  const output = read(session, route, 'stdout', session.write);
  // What is written already comes in order: an error is mostly the last that a run says.
  await (options.follow === true ? Promise.all([output, errors()]) : output.then(errors));
  marked.end();
}

/** The output of an execution of checks, both streams in one, or of the setup before it. */
export async function showCheckLog(session: Session, id: string, options: LogOptions): Promise<void> {
  const read = options.follow === true ? follow : readAll;
  await read(session, at('checks', id, 'log'), options.setup === true ? 'setup' : 'stdout', session.write);
}

type Read = (session: Session, route: string, stream: Stream, write: (text: string) => void) => Promise<void>;

const readAll: Read = async ({ client }, route, stream, write) => {
  write(plain(await client.text(route, { stream })));
};

const follow: Read = async ({ client }, route, stream, write) => {
  for await (const { data } of client.events(route, { stream, follow: true })) {
    write(plain((JSON.parse(data) as { text: string }).text));
  }
};

/** A run that ended before its agent began has no such file: then there is nothing to show. */
function unlessNone(err: unknown): void {
  if (!(err instanceof ApiError) || err.status !== 404) throw err;
}
