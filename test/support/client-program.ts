/** The commands of the client in this process, against an API that listens. */
import { PassThrough } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { registerClientCommands } from '../../cli/commands/client-commands.js';

export interface Ran {
  code: number;
  out: string;
  err: string;
}

export async function runClient(
  args: string[],
  instance: { api?: string | undefined; token?: string | undefined; dataDir: string },
): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const result = { code: 0 };
  const program = new Command('signalbox').exitOverride().configureOutput({
    writeOut: (text) => void stdout.write(text),
    writeErr: (text) => void stderr.write(text),
  });
  registerClientCommands(
    program,
    {
      instance: { api: instance.api, token: instance.token, dataDir: instance.dataDir },
      stdout,
      stderr,
      ask: null,
      setExitCode: (code) => (result.code = code),
    },
    args,
  );
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (err) {
    if (!(err instanceof CommanderError)) throw err;
    result.code = err.exitCode;
  }
  const text = (from: PassThrough): string => ((from.read() as Buffer | null) ?? '').toString();
  return { code: result.code, out: text(stdout), err: text(stderr) };
}
