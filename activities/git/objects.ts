/**
 * Reads objects of one repository through one long-lived `git cat-file`: a question costs a line instead of a process.
 * It finds what was written or fetched after it started. It writes nothing, so it holds no lock; it ends with its
 * input, also when we are killed.
 */
import { SignalboxError } from '../../domain/errors.js';
import { lastWords, LOCAL_TIMEOUT, type Git, type GitChild } from './command.js';

export interface ObjectInfo {
  oid: string;
  type: string;
  /** Bytes. */
  size: number;
}

export interface GitObject extends ObjectInfo {
  bytes: Buffer;
}

/** Names are what `git rev-parse` takes, without spaces. Answers come in the order asked; null = not there. */
export interface ObjectReader {
  info(names: readonly string[]): Promise<(ObjectInfo | null)[]>;
  contents(names: readonly string[]): Promise<(GitObject | null)[]>;
  /** Starts git now, so that it is ready when the first question comes. */
  warm(): void;
  /** The next question starts git anew. */
  restart(): Promise<void>;
  /** For good: later questions throw. */
  close(): Promise<void>;
}

const ARGS = ['cat-file', '--batch-command=%(objectname) %(objecttype) %(objectsize)', '--buffer'];

/** Starts nothing before the first question or `warm`. Questions throw `git-infrastructure` where git ends instead of answering. */
export function openObjects(git: Git, gitDir: string): ObjectReader {
  let session: Session | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;

  function open(): Session {
    if (closed) throw new SignalboxError('internal', 'a question to git after its reader was closed');
    return (session ??= new Session(git.open(ARGS, { gitDir })));
  }

  async function restart(): Promise<void> {
    await turn;
    session?.child.stdin.end();
    await session?.child.ended;
    session = null;
  }

  function ask<T>(command: string, names: readonly string[], read: (s: Session) => Promise<T>): Promise<(T | null)[]> {
    if (names.length === 0) return Promise.resolve([]);
    const answer = turn.then(async () => {
      const current = open();
      try {
        return await current.ask(command, names, read);
      } catch (err) {
        // What is left of its answers would be taken for those of the next question.
        session = null;
        current.child.kill();
        throw err;
      }
    });
    // The next in line waits for the end, not for the success.
    turn = answer.then(
      () => undefined,
      () => undefined,
    );
    return answer;
  }

  return {
    info: (names) => ask('info', names, (s) => s.header()),
    contents: (names) => ask('contents', names, (s) => s.object()),
    warm: () => void open(),
    restart,
    async close() {
      closed = true;
      await restart();
    },
  };
}

class Session {
  readonly child: GitChild;
  private readonly chunks: AsyncIterator<Buffer, undefined>;
  private held: Buffer = Buffer.alloc(0);

  constructor(child: GitChild) {
    this.child = child;
    this.chunks = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    // A git that ended says so by the end of its output.
    child.stdin.on('error', () => undefined);
  }

  async ask<T>(command: string, names: readonly string[], read: (s: this) => Promise<T>): Promise<T[]> {
    const timer = setTimeout(() => this.child.kill(), LOCAL_TIMEOUT);
    try {
      this.child.stdin.write(`${names.map((name) => `${command} ${name}\n`).join('')}flush\n`);
      const answers: T[] = [];
      for (let n = 0; n < names.length; n += 1) answers.push(await read(this));
      return answers;
    } finally {
      clearTimeout(timer);
    }
  }

  async header(): Promise<ObjectInfo | null> {
    let end: number;
    while ((end = this.held.indexOf(10)) < 0) await this.more();
    const [oid = '', type = '', size] = this.take(end + 1)
      .toString('latin1', 0, end)
      .split(' ');
    // Else it says `<name> missing` or `<name> ambiguous`.
    return size === undefined ? null : { oid, type, size: Number(size) };
  }

  async object(): Promise<GitObject | null> {
    const info = await this.header();
    if (info === null) return null;
    const parts: Buffer[] = [];
    // The content and the line end after it.
    for (let left = info.size + 1; left > 0;) {
      if (this.held.length === 0) await this.more();
      const part = this.take(Math.min(left, this.held.length));
      parts.push(part);
      left -= part.length;
    }
    return { ...info, bytes: Buffer.concat(parts).subarray(0, info.size) };
  }

  private take(length: number): Buffer {
    const taken = this.held.subarray(0, length);
    this.held = this.held.subarray(length);
    return taken;
  }

  private async more(): Promise<void> {
    const chunk = await this.chunks.next();
    if (chunk.done !== true) {
      this.held = this.held.length === 0 ? chunk.value : Buffer.concat([this.held, chunk.value]);
      return;
    }
    throw new SignalboxError('git-infrastructure', `git cat-file ended: ${lastWords(await this.child.ended)}`);
  }
}
