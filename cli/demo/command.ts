import type { Command } from 'commander';
import { runDemo, type DemoOptions } from './demo.js';

/** `signalbox demo [--json] [--keep]` */
export function registerDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('Show the main job on a sample repository: six tasks, live, and what was proven about their landings')
    .option('--json', 'print one JSON object: ok, tasks, landings, proofs, remote, ui', false)
    .option('--keep', 'leave the stack running until Ctrl-C, which removes it', false)
    .action(async (options: DemoOptions) => {
      // Where Ctrl-C came in between, a request may still be under way: nobody waits for its answer.
      process.exit(await runDemo(options));
    });
}
