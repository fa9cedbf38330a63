/** Carries out one command of a task; gives the event that its answer is, or null when nothing hangs on it. */
import { getExternalWorkflowHandle, patched } from '@temporalio/workflow';
import type { TaskCommand } from '../domain/pipeline/commands.js';
import type { TaskEvent } from '../domain/pipeline/events.js';
import type { TaskContext } from '../domain/pipeline/turn.js';
import type { Decision, TaskMirror } from '../domain/tasks.js';
import { unsubscribe } from './messages.js';
import { agentOn, gitOn, records } from './proxies.js';

export async function carryOut(ctx: TaskContext, command: TaskCommand, mirror: TaskMirror): Promise<TaskEvent | null> {
  const { input, ids } = ctx;
  const prefix = input.queuePrefix;
  switch (command.type) {
    case 'askDependencies': {
      const rows = records(prefix, 'the tasks that come first');
      const found = await rows.dependencies(input.repo, input.workItem, mirror);
      return { type: 'dependenciesAnswered', ask: command.ask, found };
    }
    case 'requestRun': {
      const { runId, stage, attempt } = command.run;
      const grant = await records(prefix, `slot for ${stage}, run ${attempt}`).requestRun(command.run, mirror);
      if (grant.granted) {
        return { type: 'requestAnswered', runId, granted: { host: grant.host }, ahead: 0, reason: '' };
      }
      return { type: 'requestAnswered', runId, granted: null, ahead: grant.ahead, reason: grant.reason };
    }
    case 'runAgent': {
      const summary = `${command.run.agent}: ${command.run.stage}, run ${command.run.attempt}`;
      const { branch, base } = input;
      const report = await agentOn(prefix, command.host, summary).runAgent({
        run: command.run,
        host: command.host,
        stage: command.stage,
        branch,
        base,
        overrides: command.overrides,
        feedback: command.feedback,
        artifacts: command.artifacts,
        head: command.head,
        stackBase: command.stackBase,
        mirror,
      });
      return { type: 'runFinished', runId: command.run.runId, report };
    }
    case 'stopRun':
      await gitOn(prefix, command.host, `stop ${command.runId}`, 'stop').stopRun(command.runId, command.reason);
      return null;
    case 'dropRun':
      await records(prefix, `give up ${command.runId}`).dropRun(command.runId, command.reason);
      return null;
    case 'requestCheck': {
      const { ask, checks, source } = command;
      const what = source.kind === 'base-now' ? `verdict of ${source.branch}` : 'verdict of the head';
      const answer = await records(prefix, what).requestCheck({
        repo: input.repo,
        checks,
        source,
        subscriber: ids.workflow,
        mirror,
      });
      return { type: 'checkAnswered', ask, answer };
    }
    case 'letGo':
      if (!patched('let-go')) return null;
      try {
        await getExternalWorkflowHandle(command.check).signal(unsubscribe, { workflowId: ids.workflow });
      } catch {
        // It is over: there is nothing to let go.
      }
      return null;
    case 'enqueue': {
      const { request } = command;
      const summary = `enqueue ${request.head.slice(0, 12)}, try ${request.try}`;
      const { settled, position } = await records(prefix, summary).enqueueLanding(request, mirror);
      return { type: 'enqueueAnswered', entry: request.entry, settled, position };
    }
    case 'changeEntry': {
      const { entry, change } = command;
      await records(prefix, `now of ${change.priority} priority`).changeLanding(input.repo, input.base, entry, change);
      return null;
    }
    case 'withdraw':
      await records(prefix, 'withdraw from the merge queue').withdrawLanding(
        input.repo,
        input.base,
        command.entry,
        command.reason,
      );
      return null;
    case 'recordDecision': {
      const { decision, intent, blob } = command;
      const summary = `${decision.stage} ${decision.verdict}`;
      const { repo, workItem, generation } = input;
      const rows = records(prefix, summary);
      const known = (await rows.recordDecision(
        repo,
        workItem,
        generation,
        decision,
        intent,
        mirror,
        blob,
      )) as Decision | null;
      // Workflows that began with an earlier version had no answer.
      return known == null ? null : { type: 'decisionRecorded', decision: known };
    }
    case 'mirror':
      await records(prefix, `show: ${mirror.waitingOn?.kind ?? mirror.state}`).mirrorTask(mirror);
      return null;
    case 'cleanUp':
      await gitOn(prefix, command.host, 'clean up', 'best-effort').cleanUpTask(input.repo, input.workItem);
      return null;
  }
}
