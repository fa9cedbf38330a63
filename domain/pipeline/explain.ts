import type { Phase, TaskState } from './state.js';
import type { TaskContext } from './turn.js';
import { picture, waiting } from './waiting.js';

/** The task's own link of the chain: what it waits for, since when, until when, who can end it. */
export interface Link {
  kind: string;
  since: string;
  until: string | null;
  detail: string;
  unblockedBy: string[];
  links: Record<string, string>;
}

export function explain(ctx: TaskContext, state: TaskState): Link[] {
  const wait = waiting(ctx, state);
  if (wait === null) {
    const { phase } = state;
    const reason = phase.kind === 'ended' ? phase.reason : '';
    const detail = [picture(ctx, state).state, reason].filter(Boolean).join(': ');
    return [
      { kind: 'end', since: phase.since, until: null, detail, unblockedBy: [], links: { task: ctx.ids.workflow } },
    ];
  }
  const { kind, since, until, detail, unblockedBy, links } = wait;
  return [{ kind, since, until, detail, unblockedBy, links }];
}

/** For the summary of the one timer: what happens when it fires. */
export function timerSummary(phase: Phase): string {
  switch (phase.kind) {
    case 'dependency':
      return 'look at what comes first again, if nobody says so before';
    case 'host':
      return 'ask for a slot again, if nobody says so before';
    case 'check':
      return 'ask for the verdict again, if nobody tells it before';
    case 'merge-queue':
      return 'ask the merge queue again, if it does not tell before';
    case 'base-red':
      return 'look at the base again';
    case 'backoff':
      return 'try again after a transient failure';
    case 'stopping':
      return 'tell the run again to stop';
    case 'created':
    case 'agent':
    case 'approval':
    case 'answer':
    case 'ended':
      return 'nothing is due';
  }
}

/** Markdown for the current details in the Temporal Web UI. */
export function details(ctx: TaskContext, state: TaskState): string {
  const { input } = ctx;
  const { counters } = state;
  const now = picture(ctx, state);
  const [link] = explain(ctx, state);
  const stages = input.pipeline.stages.map((stage) => (stage.name === now.stage ? `**${stage.name}**` : stage.name));
  const lines = [
    `### ${input.repo}/${input.workItem}: ${oneLine(state.words.title)}`,
    `${stages.join(' → ')} (${now.state})`,
    ...(link === undefined ? [] : [`**${link.kind}** since ${link.since}: ${oneLine(link.detail)}`]),
    ...(link?.unblockedBy ?? []).map((who) => `- ended by \`${who.replaceAll('`', "'")}\``),
    ...Object.entries(link?.links ?? {}).map(([name, id]) => `- ${name}: \`${id}\``),
    `branch \`${input.branch}\`, head \`${state.head ?? 'none'}\`${state.landed === null ? '' : `, landed as \`${state.landed.commit}\``}`,
    `faults ${counters.faults}, transient ${counters.transient}, follow-ups ${counters.followUps}, human waits ${counters.humanWaits}`,
    ...state.notes.map((text) => `- note: ${oneLine(text)}`),
  ];
  return lines.join('\n\n').slice(0, 10_000);
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 500);
