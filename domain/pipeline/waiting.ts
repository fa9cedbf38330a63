/** What the task waits for, in plain words, with who can end it. One place for the API, search and the Web UI. */
import { withLastLines } from '../plain-text.js';
import type { TaskMirror, TaskStateName, Waiting } from '../tasks.js';
import { taskName, TERMINAL_STATES } from '../tasks.js';
import { describeDependency, isBeforeStart } from './dependencies.js';
import type { TaskState } from './state.js';
import { current, iso, type TaskContext } from './turn.js';

/** Null when the task is over. */
export function waiting(ctx: TaskContext, state: TaskState): Waiting | null {
  const { phase } = state;
  const stage = current({ ctx, state });
  const task = taskName(ctx.input.repo, ctx.input.workItem);
  const base: Omit<Waiting, 'kind' | 'detail' | 'unblockedBy'> = {
    since: phase.since,
    until: null,
    code: null,
    artifact: null,
    links: { task: ctx.ids.workflow },
  };
  const link = (more: Record<string, string | null>): Record<string, string> => ({
    ...base.links,
    ...Object.fromEntries(Object.entries(more).filter((entry): entry is [string, string] => entry[1] !== null)),
  });

  switch (phase.kind) {
    case 'created':
      return { ...base, kind: 'start', detail: 'accepted; its workflow begins', unblockedBy: ['any worker'] };
    case 'dependency': {
      const names = phase.on.map((d) => taskName(d.repo, d.workItem));
      const over = phase.on.filter((d) => TERMINAL_STATES.includes(d.state));
      const what = phase.on.map(describeDependency).join(', ') || 'the tasks that it depends on';
      return {
        ...base,
        kind: 'dependency',
        detail: phase.at === 'start' ? `${what} comes first` : `lands after ${what}, which it is stacked on`,
        unblockedBy: [
          ...(names.length > 0 ? names : ['any worker']),
          ...over.map((d) => `signalbox task retry ${taskName(d.repo, d.workItem)}`),
          `signalbox task cancel ${task}`,
        ],
        links: link({ dependency: names[0] ?? null }),
      };
    }
    case 'host': {
      const line = phase.ahead > 0 ? ` (${phase.ahead} ahead)` : '';
      return {
        ...base,
        kind: 'host',
        detail: `${stage.name} waits for a free agent slot${line}${phase.reason === null ? '' : `: ${phase.reason}`}`,
        unblockedBy: ['a free agent slot on a live host', 'signalbox worker'],
        links: link({ run: phase.runId }),
      };
    }
    case 'agent': {
      const works: Waiting = {
        ...base,
        kind: 'agent',
        detail: `${agentOf(ctx, state) ?? 'an agent'} works on ${stage.name}, run ${phase.runId} on host ${phase.host}`,
        unblockedBy: [`run ${phase.runId}`, `signalbox task cancel ${task}`],
        links: link({ run: phase.runId, host: phase.host }),
      };
      return phase.away == null ? works : waitingForHost(works, task, phase.away);
    }
    case 'stopping':
      return {
        ...base,
        kind: phase.host === null ? 'host' : 'agent',
        detail: `run ${phase.runId} was told to stop, ${phase.then.kind === 'cancel' ? 'to cancel the task' : `to redo ${phase.then.stage}`}`,
        unblockedBy: [phase.host === null ? 'the line for agent slots' : `host ${phase.host}`],
        links: link({ run: phase.runId, host: phase.host }),
      };
    case 'backoff':
      return {
        ...base,
        kind: 'backoff',
        until: iso(phase.until),
        detail: `${stage.name} is tried again at ${iso(phase.until)} (wait ${phase.n}): ${phase.reason}`,
        unblockedBy: ['the clock', `signalbox task retry ${task}`],
      };
    case 'check':
      return {
        ...base,
        kind: 'check',
        code: phase.shared ? 'base-red' : null,
        detail:
          phase.of === 'head'
            ? `checks of ${state.head ?? 'the head'}`
            : `is ${ctx.input.base} red too? check ${phase.red?.failed?.name ?? ''} failed at the head`,
        unblockedBy: [phase.workflowId ?? 'a live host with a check slot'],
        links: link({ check: phase.workflowId }),
      };
    case 'base-red':
      return {
        ...base,
        kind: 'check',
        code: 'base-red',
        until: iso(phase.retryAt),
        detail: withLastLines(
          `check ${phase.red.failed?.name ?? ''} fails on ${ctx.input.base} as well; looked at again at ${iso(phase.retryAt)}`,
          phase.red.failed?.tail ?? '',
        ),
        unblockedBy: [`a green ${ctx.input.base}`, `signalbox task retry ${task}`],
      };
    case 'approval': {
      const { path, sha } = phase.artifact;
      return {
        ...base,
        kind: 'approval',
        artifact: { path, sha },
        detail: `a person approves ${path ?? 'the work'} at ${sha}`,
        unblockedBy: [
          'anyone with decisions:write',
          `signalbox task approve ${task} --stage ${stage.name} --sha ${sha}`,
          `signalbox task reject ${task} --stage ${stage.name} --sha ${sha}`,
        ],
      };
    }
    case 'answer':
      return {
        ...base,
        kind: 'answer',
        code: phase.code,
        detail: phase.detail,
        unblockedBy: [
          'anyone with decisions:write',
          `signalbox task answer ${task} TEXT`,
          `signalbox task retry ${task}`,
        ],
      };
    case 'merge-queue':
      return {
        ...base,
        kind: 'merge-queue',
        detail:
          phase.then !== null
            ? `leaves the queue of ${ctx.input.base} (${phase.then.kind}); if it is being published, the queue decides`
            : `in the merge queue of ${ctx.input.base}${phase.position === null ? '' : `, entered at place ${phase.position}`}`,
        unblockedBy: [ctx.ids.queue],
        links: link({ mergeQueue: ctx.ids.queue, entry: phase.request.entry }),
      };
    case 'ended':
      return null;
  }
}

/** A wait for an agent whose host is not heard of since `away` (RFC 3339): it is the host that is waited for. */
export function waitingForHost(works: Waiting, task: string, away: string): Waiting {
  const { run = '', host = '' } = works.links;
  return {
    ...works,
    kind: 'host',
    since: away,
    detail: `host ${host}, where run ${run} is, has not been heard of since ${away}; the run is taken up when it is back`,
    unblockedBy: [
      `signalbox worker --host-id ${host}, on that machine`,
      `signalbox task retry ${task} (gives the run up and starts another on a live host)`,
      `signalbox task cancel ${task}`,
    ],
  };
}

/** What lists show; the workflow adds its run id and a counter, which order the pictures. */
export type Picture = Omit<TaskMirror, 'repo' | 'workItem' | 'generation' | 'runId' | 'seq'>;

const RUNNING: readonly (Waiting['kind'] | undefined)[] = ['agent', 'check', 'merge-queue'];

export function picture(ctx: TaskContext, state: TaskState): Picture {
  const { phase } = state;
  const waitingOn = waiting(ctx, state);
  const { head, landed, counters, humanSeconds, stackBase = null } = state;
  return {
    state: stateName(state, waitingOn),
    stage: stageName(ctx, state),
    agentRunning: waitingOn?.kind === 'agent' && phase.kind === 'agent' ? agentOf(ctx, state) : null,
    head,
    stackBase,
    waitingOn,
    landed,
    counters,
    humanSeconds,
    endReason: phase.kind === 'ended' ? phase.reason : null,
  };
}

function stateName(state: TaskState, waitingOn: Waiting | null): TaskStateName {
  const { phase } = state;
  if (phase.kind === 'ended') return phase.state;
  if (isBeforeStart(state) || (phase.kind === 'host' && !state.begun)) return 'queued';
  return RUNNING.includes(waitingOn?.kind) ? 'running' : 'waiting';
}

function stageName(ctx: TaskContext, state: TaskState): string {
  const { phase } = state;
  if (isBeforeStart(state)) return 'created';
  return phase.kind === 'ended' && phase.state === 'done' ? 'done' : current({ ctx, state }).name;
}

function agentOf(ctx: TaskContext, state: TaskState): string | null {
  const stage = current({ ctx, state });
  return stage.kind === 'agent' ? (state.visit.overrides.agent ?? stage.agent) : null;
}
