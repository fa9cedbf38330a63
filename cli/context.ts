/** What every command of the client has: its instance, its output, and one way to fail. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { ApiError, createClient, findInstance, UsageError, type Client, type InstanceEnvironment } from './client.js';
import { plain } from './output.js';
import { refusalLines } from './refusals.js';

export interface CommandContext {
  instance: InstanceEnvironment;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  /** Null where nobody can be asked. */
  ask: ((question: string) => Promise<string>) | null;
  /** Exit code of the process once it has nothing left to do. */
  setExitCode: (code: number) => void;
}

/** The real terminal; asks only where both ends are one. */
export function terminalContext(instance: InstanceEnvironment): CommandContext {
  const { stdin, stdout, stderr } = process;
  const ask = async (question: string): Promise<string> => {
    const reader = createInterface({ input: stdin, output: stderr });
    try {
      return await reader.question(question);
    } finally {
      reader.close();
    }
  };
  return {
    instance,
    stdout,
    stderr,
    ask: stdin.isTTY && stderr.isTTY ? ask : null,
    setExitCode: (code) => {
      process.exitCode = code;
    },
  };
}

export interface Session {
  client: Client;
  json: boolean;
  /** Prints the API's object with `--json`, else the text for people. */
  show: (object: unknown, text: () => string) => void;
  /** A line for people; to stderr with `--json`, so that stdout stays one object. */
  note: (text: string) => void;
  write: (text: string) => void;
  /** To stderr, as it is. */
  writeError: (text: string) => void;
}

export interface ClientOptions {
  api?: string;
  token?: string;
  json?: boolean;
}

/** Adds the options that every command of the client takes. */
export function clientCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--api <url>', 'address of the API (SIGNALBOX_API; default: the instance of the data directory)')
    .option('--token <token>', 'token (SIGNALBOX_TOKEN)')
    .option('--json', 'print the object of the API');
}

/** What a program reads of a mistake that never reached the API. */
export const usageProblem = (detail: string) => ({ code: 'usage', title: 'The command cannot be run so', detail });

/** Runs one command: a refusal of the API or a mistake of the user is said in short, with exit code 1. */
export async function withClient(
  context: CommandContext,
  options: ClientOptions,
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const json = options.json === true;
  const line = (to: NodeJS.WritableStream) => (text: string) => void to.write(`${text}\n`);
  try {
    const client = createClient(await findInstance(options, context.instance));
    await action({
      client,
      json,
      show: (object, text) => line(context.stdout)(json ? JSON.stringify(object, null, 2) : text()),
      note: line(json ? context.stderr : context.stdout),
      write: (text) => void context.stdout.write(text),
      writeError: (text) => void context.stderr.write(text),
    });
  } catch (err) {
    if (!(err instanceof ApiError) && !(err instanceof UsageError)) throw err;
    context.setExitCode(1);
    const refused = err instanceof ApiError;
    for (const text of refused ? refusalLines(err) : [`error: ${plain(err.message)}`]) line(context.stderr)(text);
    if (json) line(context.stdout)(JSON.stringify(refused ? err.problem : usageProblem(err.message), null, 2));
  }
}
