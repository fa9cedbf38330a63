/** A host that runs scripted agents on a real remote and a real database, without a Temporal server. */
import { entrypoint } from '../../activities/entrypoint.js';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { AgentHost } from '../../activities/agents/host.js';
import { killTree } from '../../activities/agents/processes.js';
import { runAgent } from '../../activities/agents/run.js';
import type { RunOutcome, RunReport } from '../../domain/agents/types.js';
import type { AgentStage } from '../../domain/pipeline/types.js';
import type { Script } from '../../cli/demo/scripted-agent.js';
import { putProfile } from '../../store/agent-profiles.js';
import { transaction } from '../../store/db.js';
import { claimHost } from '../../store/hosts.js';
import { requestJob } from '../../store/jobs.js';
import { insertRepo } from '../../store/repos.js';
import { createTask } from '../../store/task-intake.js';
import type { RepoConfig } from '../../domain/repos.js';
import type { RunAgentInput } from '../../workflows/activities.js';
import { runId } from '../../workflows/ids.js';
import { makeWorld, type World } from './git.js';
import { createTestDatabase, type TestDatabase } from './postgres.js';
import { sampleMirror, sampleProfile, sampleTask } from './samples.js';

export const STALE_MS = 3_600_000;

export interface AgentWorld {
  world: World;
  db: TestDatabase;
  host: AgentHost;
  /** Hands a task in and puts the n-th run of a stage in its slot. */
  request(
    script: Script,
    more?: Omit<Partial<RunAgentInput>, 'stage'> & { stage?: Partial<AgentStage> },
  ): Promise<RunAgentInput>;
  /** The next run of the same stage. */
  again(input: RunAgentInput, more?: Partial<RunAgentInput>): Promise<RunAgentInput>;
  run(input: RunAgentInput): Promise<RunReport>;
  end(): Promise<void>;
}

export async function makeAgentWorld(config: Partial<RepoConfig> = {}): Promise<AgentWorld> {
  const world = makeWorld();
  const db = await createTestDatabase();
  const git = world.host('a', { env: { HOME: world.root, SIGNALBOX_TOKEN: 'sbx_secret' } });
  const checks = { warmExports: 4, warmBytes: 2 ** 40, ports: { first: 23_000, last: 23_999 } };
  const host: AgentHost = { pool: db.pool, paths: git.paths, lookup: git.lookup, staleMs: STALE_MS, checks, git };
  await insertRepo(db.pool, { ...world.repo, config: { ...world.repo.config, ...config } });
  await claimHost(db.pool, { id: 'a', pid: process.pid, agentSlots: 50, checkSlots: 2, info: {} });
  const limits = { wallMs: 30_000, stallMs: 30_000, outputBytes: 1 << 24 };
  const command = [process.execPath, entrypoint('cli/demo/scripted-agent')];
  await putProfile(db.pool, sampleProfile({ name: 'default', command, env: { MODEL_KEY: 'k' }, limits }));
  const started: string[] = [];
  const take = async (input: RunAgentInput): Promise<RunAgentInput> => {
    started.push(input.run.runId);
    await transaction(db.pool, (tx) => requestJob(tx, input.run, STALE_MS));
    return input;
  };
  return {
    ...{ world, db, host },
    async request(script, more = {}) {
      const description = `Please.\n\n\`\`\`agent-script\n${JSON.stringify(script)}\n\`\`\`\n`;
      const { task } = await createTask(db.pool, sampleTask({ description }));
      const { stage: over, ...rest } = more;
      const stage: AgentStage = {
        ...{ name: 'development', kind: 'agent', agent: 'developer', prompt: null, artifact: null },
        ...{ commits: 'optional', maxAttempts: null, onFail: null, ...over },
      };
      return take({
        run: {
          ...{ runId: runId('web', task.workItem, 1, stage.name, 1), repo: 'web', workItem: task.workItem },
          ...{ generation: 1, stage: stage.name, attempt: 1, agent: stage.agent, preferHost: null },
          workflowId: `task/web/${task.workItem}`,
        },
        ...{ host: 'a', stage, branch: task.branch, base: 'main', feedback: [], artifacts: [], head: null },
        overrides: { model: null, effort: null, prompt: null },
        mirror: sampleMirror({ workItem: task.workItem }),
        ...rest,
      });
    },
    again: (input, more = {}) => {
      const { run } = input;
      const attempt = run.attempt + 1;
      const id = runId(run.repo, run.workItem, run.generation, run.stage, attempt);
      return take({ ...input, run: { ...run, attempt, runId: id }, ...more });
    },
    run: (input) => new MockActivityEnvironment().run(() => runAgent(host, input)),
    async end() {
      for (const id of started) await killTree(host.paths.run(id));
      await db.drop();
      world.cleanUp();
    },
  };
}

export const kindOf = ({ outcome }: { outcome: RunOutcome }): string =>
  'failureClass' in outcome ? `${outcome.kind}: ${outcome.failureClass}` : outcome.kind;
