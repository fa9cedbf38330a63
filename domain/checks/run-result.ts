/**
 * What one execution of checks says about a tree. Red is the content's doing: a check or the setup ended with something
 * other than 0, or names a command that is not there. Everything else that is not green is a fault of the
 * infrastructure and says nothing about the content.
 */
import type { CommandEnd, ExitRecord } from '../agents/exit.js';
import type { CheckRunResult } from './types.js';

const TAIL_LINES = 200;
const TAIL_BYTES = 32 * 1024;
/** Failures to start that come from the command's name or file; others (no memory, no processes) are the host's. */
const CONTENT_ERRORS = ['ENOENT', 'EACCES', 'ENOTDIR', 'ENOEXEC', 'EISDIR', 'ELOOP', 'ENAMETOOLONG'];

export interface CheckFacts {
  exit: ExitRecord;
  /** Name and argv of what was to run, in order. */
  checks: readonly { name: string; command: string[] }[];
  setup: { command: string[] } | null;
  /** End of the output of the setup, or of the last check that ran. */
  output: string;
}

/** The result of an execution whose supervisor wrote its exit record. */
export function decideCheck({ exit, checks, setup, output }: CheckFacts): CheckRunResult {
  const fault = (reason: string): CheckRunResult => ({ kind: 'fault', reason });
  const seconds = exit.setup.seconds + exit.commands.reduce((sum, c) => sum + c.seconds, 0);
  if (exit.stoppedBy !== null) return fault(exit.stopReason ?? 'stopped');
  if (exit.trouble !== null) return fault(exit.trouble);
  if (exit.setup.end === 'timeout') return fault('setup did not end in time');
  if (exit.setup.end === 'failed') {
    const failed = { name: 'setup', command: setup?.command ?? [], exitCode: exit.setup.code, tail: tailOf(output) };
    return { kind: 'red', seconds, failed };
  }
  const last = exit.commands.at(-1);
  if (last === undefined) return fault('no check was started');
  if (last.limit !== null) return fault(`the check ${last.name} did not end in time`);
  if (last.spawnError !== null && !CONTENT_ERRORS.includes(last.spawnError)) {
    return fault(`the check ${last.name} could not be started (${last.spawnError})`);
  }
  if (failedByItself(last)) {
    const command = checks.find((c) => c.name === last.name)?.command ?? [];
    const exitCode = last.spawnError === null ? last.code : 127;
    return { kind: 'red', seconds, failed: { name: last.name, command, exitCode, tail: tailOf(output) } };
  }
  return exit.commands.length === checks.length ? { kind: 'green', seconds } : fault('not every check was run');
}

const failedByItself = (end: CommandEnd): boolean => end.code !== 0;

/** The last 200 lines at most, cut to 32 KiB. */
export function tailOf(text: string): string {
  const lines = text.replace(/\n$/, '').split('\n').slice(-TAIL_LINES).join('\n');
  const bytes = new TextEncoder().encode(lines);
  if (bytes.length <= TAIL_BYTES) return lines;
  return new TextDecoder().decode(bytes.subarray(bytes.length - TAIL_BYTES)).replace(/^\uFFFD+/, '');
}
