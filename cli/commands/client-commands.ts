import type { Command } from 'commander';
import { usageProblem, type CommandContext } from '../context.js';
import { registerAgentProfileCommands } from './agent-profile.js';
import { registerAuditCommand, registerRebuildCommand } from './audit.js';
import { registerCheckCommands } from './check.js';
import { registerConflictsCommand } from './conflicts.js';
import { registerEntryCommands } from './entry.js';
import { registerHookCommands } from './hook.js';
import { registerHostsCommand } from './hosts.js';
import { registerQueueCommands } from './queue.js';
import { registerRepoCommands } from './repo.js';
import { registerRunCommands } from './run.js';
import { registerTaskCommands } from './task.js';
import { registerTokenCommands } from './token.js';

/**
 * Every command that speaks to a running instance.
 * @param args what the program is run with: a mistake in it is said before any option is known
 */
export function registerClientCommands(program: Command, context: CommandContext, args: readonly string[]): void {
  if (givesJson(args)) {
    program.configureOutput({
      outputError: (text, write) => {
        write(text);
        const detail = text.replace(/^error: /, '').trimEnd();
        context.stdout.write(`${JSON.stringify(usageProblem(detail), null, 2)}\n`);
      },
    });
  }
  registerRepoCommands(program, context);
  registerAgentProfileCommands(program, context);
  registerTaskCommands(program, context);
  registerRunCommands(program, context);
  registerCheckCommands(program, context);
  registerQueueCommands(program, context);
  registerEntryCommands(program, context);
  registerConflictsCommand(program, context);
  registerAuditCommand(program, context);
  registerRebuildCommand(program, context);
  registerHookCommands(program, context);
  registerHostsCommand(program, context);
  registerTokenCommands(program, context);
}

function givesJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}
