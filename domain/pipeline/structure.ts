import type { Fault } from '../errors.js';
import type { Stage } from './types.js';

/** What stages may refer to; null = not known here, so not judged. */
export interface KnownNames {
  /** Names of agent profiles; `default` stands in for one that is missing. */
  profiles: readonly string[] | null;
  checks: readonly string[] | null;
}

/**
 * How stages hang together. `stages` has null where a stage could not be read: its place counts, its name does not.
 * A task lands once in a generation, so nothing that adds commits may follow the merge and no edge may cross it.
 */
export function structureFaults(stages: readonly (Stage | null)[], known: KnownNames, at: string): Fault[] {
  const faults: Fault[] = [];
  const names = stages.map((stage) => stage?.name ?? null);
  const unread = stages.includes(null);
  const merge = stages.findIndex((stage) => stage?.kind === 'merge');

  stages.forEach((stage, i) => {
    if (stage === null) return;
    const field = `${at}.stages[${i}]`;
    const fault = (name: string, value: unknown, message: string): void => {
      faults.push({ field: `${field}.${name}`, value, message });
    };
    const earlier = (name: string, value: string, what: string): number => {
      const target = names.indexOf(value);
      if (target === -1 && !unread) fault(name, value, `there is no stage \`${value}\``);
      else if (target >= i) fault(name, value, `${what} an earlier stage; \`${value}\` is not`);
      return target;
    };
    if (names.indexOf(stage.name) !== i) fault('name', stage.name, 'another stage has this name');
    if (stage.name === 'created' || stage.name === 'done') fault('name', stage.name, 'this name is taken');
    if (merge !== -1 && i > merge) {
      if (stage.kind === 'merge') fault('kind', stage.kind, 'is never reached: a task lands once');
      if (stage.kind === 'agent' && stage.commits !== 'forbidden') {
        fault('commits', stage.commits, 'must be forbidden after the merge: nothing would land them');
      }
    }
    for (const [edge, target] of edges(stage)) {
      const to = earlier(`${edge}.goto`, target, 'must go back to');
      if (to !== -1 && to < i && merge !== -1 && to <= merge && i > merge) {
        fault(`${edge}.goto`, target, 'must not go back over the merge');
      }
    }
    if (stage.kind === 'agent' && known.profiles !== null) {
      if (!known.profiles.includes(stage.agent) && !known.profiles.includes('default')) {
        const make = `signalbox agent-profile set ${stage.agent} -- COMMAND…`;
        fault(
          'agent',
          stage.agent,
          `there is no agent profile \`${stage.agent}\` and no \`default\`; make one: ${make}`,
        );
      }
    }
    if (stage.kind === 'approval') {
      const of = stages[earlier('of', stage.of, 'must be')];
      if (of && of.kind !== 'agent')
        fault('of', stage.of, `must be an agent stage; \`${stage.of}\` is of kind ${of.kind}`);
    }
    if (stage.kind === 'check' && known.checks !== null) {
      (stage.checks ?? []).forEach((name, n) => {
        if (!known.checks?.includes(name)) fault(`checks[${n}]`, name, `the repository has no check \`${name}\``);
      });
    }
    if (stage.kind === 'check' && stage.checks !== null && new Set(stage.checks).size < stage.checks.length) {
      fault('checks', stage.checks, 'names a check twice');
    }
  });
  return faults;
}

function edges(stage: Stage): [string, string][] {
  const list: [string, string | undefined][] =
    stage.kind === 'merge'
      ? [
          ['onConflict', stage.onConflict?.goto],
          ['onRed', stage.onRed?.goto],
        ]
      : stage.kind === 'approval'
        ? []
        : [['onFail', stage.onFail?.goto]];
  return list.filter((entry): entry is [string, string] => entry[1] !== undefined);
}
