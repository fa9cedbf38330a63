/** How the queue looks from outside. A frozen and paused queue shows frozen; a block shows when no gate is closed. */
import { activeEntry, heldByDrain, inOrder, priorityOf } from './order.js';
import type { QueueEntry, QueueState } from './state.js';
import type { Gate, QueueBlock, QueueStateName, QueueView } from './types.js';

const NAMES = { freeze: 'frozen', pause: 'paused', drain: 'draining' } as const;

/** The gates that concern landing on this base. */
const concerning = (gates: readonly Gate[], base: string): Gate[] =>
  gates.filter((g) => g.scope !== 'admission' && (g.base === null || g.base === base));

/**
 * What holds the queue of a base, the strongest first: freeze, pause, block, drain. `gate` is the one that gives the
 * name, null where no gate does.
 */
export function held(
  gates: readonly Gate[],
  base: string,
  block: QueueBlock | null,
): { name: QueueStateName; gate: Gate | null } {
  const gateOf = (kind: Gate['kind']): Gate | undefined => concerning(gates, base).find((g) => g.kind === kind);
  const gate = gateOf('freeze') ?? gateOf('pause') ?? (block === null ? gateOf('drain') : undefined) ?? null;
  if (gate !== null) return { name: NAMES[gate.kind], gate };
  return { name: block === null ? 'running' : 'blocked', gate };
}

export function landingGates(state: QueueState): Gate[] {
  return concerning(state.gates ?? [], state.base);
}

/** What blocks the queue; the older of two, since the outcome that is refused is tried again on a timer. */
export const blockOf = (state: QueueState): QueueBlock | null => state.block ?? state.recordBlock;

export function standing(state: QueueState): { name: QueueStateName; reason: string | null } {
  const { name, gate } = held(state.gates ?? [], state.base, blockOf(state));
  if (gate !== null) return { name, reason: `${gate.reason} (${gate.by})` };
  const blocks = [state.block, state.recordBlock].filter((block) => block !== null);
  const reason = blocks.map((block) => `${block.code}: ${block.reason}`).join('; ');
  return { name, reason: reason === '' ? state.fault : reason };
}

/** Paused, or frozen and not the fix: the entry is not taken up and not published. */
export function isClosedTo(state: QueueState, { edit }: QueueEntry): boolean {
  return landingGates(state).some((g) => g.kind === 'pause' || (g.kind === 'freeze' && edit?.fix !== true));
}

/** Paused or frozen, for every entry. Asked at every step: the gates are looked at once, however many wait. */
export function isClosed(state: QueueState): boolean {
  const closed = landingGates(state).filter((g) => g.kind !== 'drain');
  if (closed.length === 0) return false;
  return closed.some((g) => g.kind === 'pause') || state.entries.every(({ edit }) => edit?.fix !== true);
}

function detail(state: QueueState, entry: QueueEntry): string | null {
  if (entry.withdraw !== null) return `being withdrawn: ${entry.withdraw}`;
  if (entry.phase === 'queued' && heldByDrain(state, entry)) return 'came after the drain began';
  return entry.detail;
}

export function queueView(state: QueueState): QueueView {
  const { name, reason } = standing(state);
  const active = activeEntry(state);
  const startedAt = active?.held === true ? null : (active?.startedAt ?? null);
  return {
    repo: state.repo,
    base: state.base,
    state: name,
    reason,
    block: blockOf(state),
    pace: { durations: state.durations, startedAt: startedAt === null ? null : new Date(startedAt).toISOString() },
    entries: inOrder(state).map((e, i) => ({
      entry: e.request.entry,
      task: e.request.task,
      position: i + 1,
      phase: e.phase,
      head: e.request.head,
      priority: priorityOf(e),
      fix: e.edit?.fix ?? false,
      since: new Date(e.since).toISOString(),
      detail: detail(state, e),
      waitsFor: e.waitsFor?.task ?? null,
    })),
  };
}

/**
 * What must change for the stored picture to be written again. The quick phases of a landing are left out: they are
 * over before anybody reads them, and each write costs an activity.
 */
export function mirrorKey(state: QueueState): string {
  const entries = inOrder(state).map((e) => [
    e.request.entry,
    priorityOf(e),
    e.edit?.fix ?? false,
    e.awaited !== null,
    detail(state, e),
  ]);
  const { name, reason } = standing(state);
  return JSON.stringify([name, reason, blockOf(state)?.code ?? null, entries]);
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').slice(0, 120);

/** Markdown for the Temporal Web UI; the first 50 entries. */
export function queueDetails(state: QueueState): string {
  const view = queueView(state);
  const head = `**${view.state}**${view.reason === null ? '' : `: ${cell(view.reason)}`}`;
  const clear = view.block ? [`To clear: ${view.block.clearedBy ?? 'clears by itself'}`] : [];
  if (view.entries.length === 0) return [head, ...clear, 'The queue is empty.'].join('\n\n');
  const rows = view.entries
    .slice(0, 50)
    .map((e) => `| ${[e.position, e.task, e.phase, e.priority, e.since, cell(e.detail ?? '')].join(' | ')} |`);
  const more = view.entries.length > 50 ? [`… and ${view.entries.length - 50} more`] : [];
  const table = ['| # | task | phase | priority | since | |', '|---|---|---|---|---|---|', ...rows].join('\n');
  return [head, ...clear, table, ...more].join('\n\n');
}
