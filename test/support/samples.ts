/** Valid objects to start tests from; override what the test is about. */
import type { AgentProfile, RunRequest } from '../../domain/agents/types.js';
import type { EnqueueRequest } from '../../domain/merge-queue/types.js';
import type { Pipeline } from '../../domain/pipeline/types.js';
import type { Repo } from '../../domain/repos.js';
import type { TaskMirror } from '../../domain/tasks.js';
import type { NewTask } from '../../store/task-intake.js';

export const SAMPLE_PIPELINE: Pipeline = {
  stages: [
    {
      ...{ name: 'development', kind: 'agent', agent: 'developer', prompt: null, artifact: null },
      ...{ commits: 'required', maxAttempts: null, onFail: null },
    },
    { name: 'merge', kind: 'merge', onConflict: null, onRed: null },
  ],
};

export function sampleRepo(over: Partial<Repo> = {}): Omit<Repo, 'createdAt'> {
  const id = over.id ?? 'web';
  return {
    id,
    remote: `/srv/git/${id}.git`,
    remoteKey: `/srv/git/${id}.git`,
    base: 'main',
    prefix: 'ET',
    config: {
      auth: { kind: 'none', ref: null },
      merge: { strategy: 'auto' },
      checkout: null,
      setup: null,
      checks: [],
      pipeline: null,
    },
    facts: {
      ...{ headsPrefix: 'refs/signalbox/heads/', tipPrefix: 'refs/signalbox/tip/' },
      ...{ local: true, checkedOut: false },
    },
    adoptedAt: 'a'.repeat(40),
    ...over,
  };
}

export function sampleTask(over: Partial<NewTask> = {}): NewTask {
  return {
    ...{ repo: 'web', prefix: 'ET', title: 'Do it', description: '', source: null, externalId: null },
    ...{ number: null, branch: null, priority: 'normal', pipeline: SAMPLE_PIPELINE, maxAttempts: null },
    dependsOn: [],
    submittedBy: 'test',
    ...over,
  };
}

export function sampleMirror(over: Partial<TaskMirror> = {}): TaskMirror {
  return {
    ...{ repo: 'web', workItem: 'ET-001', generation: 1, runId: 'run-1', seq: 1, state: 'running' },
    ...{ stage: 'development', agentRunning: null, head: null, waitingOn: null, landed: null },
    counters: { faults: 0, transient: 0, followUps: 0, humanWaits: 0 },
    humanSeconds: 0,
    ...over,
  };
}

export function sampleRun(over: Partial<RunRequest> = {}): RunRequest {
  return {
    ...{ runId: 'web.ET-001.g1.development.1', repo: 'web', workItem: 'ET-001', generation: 1 },
    ...{ stage: 'development', attempt: 1, agent: 'developer', preferHost: null, workflowId: 'task/web/ET-001' },
    ...over,
  };
}

export function sampleRequest(repo: string, workItem: string, over: Partial<EnqueueRequest> = {}): EnqueueRequest {
  return {
    ...{ repo, base: 'main', task: `${repo}/${workItem}`, workItem, generation: 1, head: 'a'.repeat(40), try: 1 },
    ...{ entry: `${repo}-${workItem}`, workflowId: `task/${repo}/${workItem}`, title: 'Do it', priority: 'normal' },
    enqueuedAt: '2026-01-01T00:00:00Z',
    ...over,
  };
}

export function sampleProfile(over: Partial<AgentProfile> = {}): AgentProfile {
  return {
    ...{ name: 'default', adapter: 'command', command: ['true'], env: {}, model: null, effort: null },
    limits: { wallMs: 60_000, stallMs: 60_000, outputBytes: 1 << 20 },
    sandbox: 'none',
    ...over,
  };
}
