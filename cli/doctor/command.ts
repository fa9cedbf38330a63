/** `signalbox doctor`: what is wrong here, and how to mend it. */
import path from 'node:path';
import type { Command } from 'commander';
import { readEnvironment } from '../environment.js';
import type { Check } from './check.js';

interface Options {
  dataDir?: string;
  json?: true;
  spawn?: true;
}

export function registerDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check git, Postgres, Temporal, agents, remotes and disk; exit 1 naming what fails and how to mend it')
    .option('--data-dir <dir>', 'of the instance (default: SIGNALBOX_DATA_DIR or .signalbox)')
    .option('--spawn', 'also prove that a process can be run under the supervisor')
    .option('--json', 'print one object')
    .action(async (options: Options) => {
      const environment = readEnvironment();
      const dataDir = options.dataDir === undefined ? environment.dataDir : path.resolve(options.dataDir);
      const { examine } = await import('./examine.js');
      const checks = await examine(environment, dataDir, options.spawn === true);
      const healthy = checks.every((check) => check.status !== 'failed');
      const object = { ok: healthy, checks };
      process.stdout.write(options.json === true ? `${JSON.stringify(object, null, 2)}\n` : checks.map(line).join(''));
      process.exit(healthy ? 0 : 1);
    });
}

const MARKS = { ok: 'ok    ', note: 'note  ', failed: 'FAILED' } as const;

function line(check: Check): string {
  const mend = check.mend === null ? '' : `         mend: ${check.mend}\n`;
  return `${MARKS[check.status]} ${check.name}: ${check.detail}\n${mend}`;
}
