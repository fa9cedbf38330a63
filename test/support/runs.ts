/** Run directories and specs for tests of the supervisor. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SupervisedCommand, SupervisedSpec } from '../../activities/agents/records.js';

export const BASE_ENV = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', LANG: 'C.UTF-8' };

export interface TestRun {
  root: string;
  runDir: string;
  cwd: string;
  spec: SupervisedSpec;
}

/** A run of `node -e SCRIPT` in an empty directory; `more` replaces parts of the spec. */
export function testRun(
  script: string,
  more: Partial<SupervisedSpec> & { command?: Partial<SupervisedCommand> } = {},
): TestRun {
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-run-'));
  const cwd = path.join(root, 'clone');
  mkdirSync(cwd);
  const runId = `web.ET-001.g1.dev.${randomBytes(4).toString('hex')}`;
  const { command, ...rest } = more;
  const spec: SupervisedSpec = {
    runId,
    attempt: 1,
    fence: 1,
    cwd,
    git: null,
    setup: null,
    commands: [
      {
        name: 'agent',
        command: [process.execPath, '-e', script],
        env: { ...BASE_ENV, SIGNALBOX_RUN: runId },
        wallMs: 60_000,
        stallMs: null,
        ...command,
      },
    ],
    output: { bytes: 256 * 1024 * 1024, streams: 'split' },
    result: false,
    ...rest,
  };
  return { root, cwd, runDir: path.join(root, 'runs', runId), spec };
}
