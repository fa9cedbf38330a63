import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { registerAgentProfileCommands } from './agent-profile.js';
import { registerAuditCommand, registerRebuildCommand } from './audit.js';
import { registerEntryCommands } from './entry.js';
import { registerQueueCommands } from './queue.js';
import { registerRepoCommands } from './repo.js';
import { registerRunCommands } from './run.js';
import { registerTaskCommands } from './task.js';
import { registerTokenCommands } from './token.js';

/** Every command that speaks to a running instance. */
export function registerClientCommands(program: Command, context: CommandContext): void {
  registerRepoCommands(program, context);
  registerAgentProfileCommands(program, context);
  registerTaskCommands(program, context);
  registerRunCommands(program, context);
  registerQueueCommands(program, context);
  registerEntryCommands(program, context);
  registerAuditCommand(program, context);
  registerRebuildCommand(program, context);
  registerTokenCommands(program, context);
}
