import { taskName } from '../domain/tasks.js';
import type { Job } from '../store/jobs.js';
import type { Run } from '../store/runs.js';

export function showRun(run: Run) {
  return {
    id: run.id,
    task: taskName(run.repo, run.workItem),
    generation: run.generation,
    stage: run.stage,
    attempt: run.attempt,
    agent: run.agent,
    adapter: run.adapter,
    model: run.model,
    effort: run.effort,
    status: run.status,
    exitCode: run.exitCode,
    failureClass: run.failureClass,
    usage: run.usage,
    costUsd: run.costUsd,
    costKnown: run.costKnown,
    host: run.host,
    pid: run.pid,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
  };
}

export const showCheck = (job: Job) => ({
  id: job.runId,
  repo: job.repo,
  task: job.workItem === null ? null : taskName(job.repo, job.workItem),
  workflowId: job.workflowId,
  status: job.status,
  error: job.error,
  startedAt: job.startedAt,
  finishedAt: job.finishedAt,
});
