#!/usr/bin/env node
/** The `signalbox` command. */
import { Command } from 'commander';
import { SignalboxError } from '../domain/errors.js';
import { registerApiCommand } from './api-command.js';
import { registerClientCommands } from './commands/client-commands.js';
import { terminalContext } from './context.js';
import { registerDemoCommand } from './demo/command.js';
import { readInstance } from './environment.js';
import { registerDoctorCommand } from './doctor/command.js';
import { registerUpCommand } from './up/command.js';
import { version } from './version.js';
import { registerWorkerCommand } from './worker-command.js';

export function createProgram(): Command {
  const program = new Command('signalbox')
    .description('The orchestrator for a fleet of coding agents.')
    .version(version())
    .showHelpAfterError('(--help shows what is possible)')
    .configureHelp({ sortSubcommands: false });
  registerUpCommand(program);
  registerWorkerCommand(program);
  registerApiCommand(program);
  registerDoctorCommand(program);
  registerDemoCommand(program);
  registerClientCommands(program, terminalContext(readInstance()), process.argv.slice(2));
  return program;
}

try {
  await createProgram().parseAsync();
} catch (err) {
  if (!(err instanceof SignalboxError)) throw err;
  process.stderr.write(`error: ${err.message}\n`);
  if (err.cause instanceof Error) process.stderr.write(`cause: ${err.cause.message}\n`);
  process.exit(1);
}
