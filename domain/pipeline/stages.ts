/** Moving through the pipeline: entering a stage, passing it, going back over a bounded edge. */
import type { Feedback } from '../agents/types.js';
import { withLastLines } from '../plain-text.js';
import { cancelledBy } from './actor.js';
import { NO_OVERRIDES, type RunOverrides } from './input.js';
import type { Afterwards, Artifact, Resume } from './state.js';
import {
  AGAIN,
  askPerson,
  count,
  current,
  emit,
  enter,
  finish,
  indexOf,
  iso,
  set,
  stageAt,
  type Turn,
} from './turn.js';
import type { ApprovalStage, BackEdge, Stage } from './types.js';

export function passStage(t: Turn): void {
  enterStage(t, t.state.stage + 1);
}

/** A new visit with a fresh budget; past the last stage the task is done. */
export function enterStage(t: Turn, index: number, overrides: RunOverrides = NO_OVERRIDES): void {
  const outdated = outdatedApproval(t, index);
  if (outdated !== null) {
    enterApproval(t, outdated.index, outdated.artifact, index);
    return;
  }
  const stage = stageAt(t.ctx, index);
  if (stage === undefined) {
    set(t, { stage: index });
    finish(t, 'done', endOf(t));
    return;
  }
  if (stage.kind === 'check' && !t.ctx.input.checksExist) {
    enterStage(t, index + 1);
    return;
  }
  set(t, { stage: index, visit: { faults: 0, transient: 0, overrides } });
  t.begin(t, stage);
}

/** Past a merge stage without a landing: base had it all. */
function endOf({ ctx, state }: Turn): string {
  if (state.landed !== null) return 'landed';
  const merges = ctx.input.pipeline.stages.some((stage) => stage.kind === 'merge');
  return merges ? `${ctx.input.base} already contained its work` : 'every stage has passed';
}

/** The same stage again, in the same visit, with a fresh budget. */
export function repeatStage(t: Turn): void {
  set(t, { visit: { ...t.state.visit, faults: 0, transient: 0 } });
  t.begin(t, current(t));
}

/** The approval kind; the others are in runs.ts, checks.ts and landing.ts. */
export function beginApproval(t: Turn, stage: ApprovalStage): void {
  enterApproval(t, t.state.stage, artifactOf(t, stage), t.state.stage + 1);
}

/**
 * Follows a back edge with facts for the next prompt. Without an edge, or when its bound is used up, a person is
 * asked, and shown the end of the `output` that the reason is in. `name` is the edge's field.
 */
export function goBack(
  t: Turn,
  name: string,
  edge: BackEdge | null,
  facts: Feedback[],
  why: string,
  output = '',
): void {
  const stage = current(t);
  const key = `${stage.name}.${name}`;
  const taken = t.state.edges[key] ?? 0;
  if (edge !== null && taken < edge.max) {
    takeEdge(t, key, edge.goto, facts);
    return;
  }
  if (edge !== null) {
    const resume: Resume = { kind: 'goto', stage: edge.goto, edge: key, feedback: facts };
    const detail = `${why}; sent back to ${edge.goto} ${taken} times, which is the bound`;
    askPerson(t, 'bound', withLastLines(detail, output), {
      onAnswer: resume,
      onRetry: resume,
    });
    return;
  }
  askPerson(t, 'bound', withLastLines(`${why}; the pipeline sends it nowhere`, output), {
    ...toNearestAgent(t, facts),
    onRetry: { kind: 'again' },
  });
}

export function takeEdge(t: Turn, key: string | null, stage: string, facts: Feedback[]): void {
  if (key !== null) set(t, { edges: { ...t.state.edges, [key]: (t.state.edges[key] ?? 0) + 1 } });
  count(t, 'followUps');
  set(t, { feedback: facts });
  enterStage(t, indexOf(t.ctx, stage));
}

/** Where a person's words can be read: the nearest earlier stage whose agent may commit. */
export function toNearestAgent(t: Turn, facts: Feedback[]): { onAnswer: Resume } {
  const before = t.ctx.input.pipeline.stages.slice(0, t.state.stage);
  const stage = before.reverse().find((s) => s.kind === 'agent' && s.commits !== 'forbidden');
  if (stage === undefined) return { onAnswer: { kind: 'again' } };
  return { onAnswer: { kind: 'goto', stage: stage.name, edge: null, feedback: facts } };
}

export function artifactPath(workItem: string, stage: Stage | undefined): string | null {
  if (stage?.kind !== 'agent' || stage.artifact === null) return null;
  return stage.artifact.replaceAll('{workItem}', workItem);
}

/** What the stage that is approved ended with; after a redo that began later, the newest head stands for it. */
function artifactOf(t: Turn, stage: ApprovalStage): Artifact | null {
  const known = t.state.results[stage.of];
  if (known !== undefined) return known;
  return newestArtifact(t, stage);
}

function newestArtifact(t: Turn, stage: ApprovalStage): Artifact | null {
  if (t.state.head === null) return null;
  const path = artifactPath(t.ctx.input.workItem, stageAt(t.ctx, indexOf(t.ctx, stage.of)));
  return { path, sha: t.state.head, blob: path === null ? null : (t.state.blobs[path] ?? null) };
}

/** An approved document that is not at the head any more, before stage `to`. */
function outdatedApproval(t: Turn, to: number): { index: number; artifact: Artifact } | null {
  for (const [index, stage] of t.ctx.input.pipeline.stages.slice(0, to).entries()) {
    if (stage.kind !== 'approval') continue;
    const approved = t.state.approved[stage.name];
    if (approved === undefined || approved.path === null) continue;
    const blob = t.state.blobs[approved.path];
    const artifact = newestArtifact(t, stage);
    if (blob !== undefined && blob !== approved.blob && artifact !== null) return { index, artifact };
  }
  return null;
}

function enterApproval(t: Turn, index: number, artifact: Artifact | null, next: number): void {
  const stage = stageAt(t.ctx, index);
  if (stage?.kind !== 'approval') throw new RangeError('not an approval stage');
  set(t, { stage: index, visit: { faults: 0, transient: 0, overrides: NO_OVERRIDES } });
  if (artifact === null) {
    askPerson(t, 'invalid', `there is nothing to approve: ${stage.of} left no head on the remote`, AGAIN);
    return;
  }
  const decided = t.state.decisions.find((d) => d.stage === stage.name && d.sha === artifact.sha);
  const approved = t.state.approved[stage.name];
  const sameDocument = artifact.blob !== null && approved?.path === artifact.path && approved.blob === artifact.blob;
  if (decided?.verdict === 'approved' || (decided === undefined && sameDocument)) {
    set(t, { approved: { ...t.state.approved, [stage.name]: artifact } });
    enterStage(t, next);
    return;
  }
  if (decided?.verdict === 'rejected') {
    const facts: Feedback[] = [{ kind: 'rejection', stage: stage.name, text: decided.reason ?? 'rejected' }];
    const resume: Resume = { kind: 'goto', stage: stage.of, edge: null, feedback: facts };
    const why = `${stage.of} handed in ${artifact.sha} again, which ${decided.by} rejected`;
    askPerson(t, 'bound', why, { onAnswer: resume, onRetry: resume });
    return;
  }
  count(t, 'humanWaits');
  enter(t, { kind: 'approval', since: iso(t.now), artifact, next });
  emit(t, { type: 'mirror' });
}

/** What runs has ended: the cancel or redo that it was ended for. */
export function afterwards(t: Turn, then: Afterwards): void {
  if (then.kind === 'cancel') {
    finish(t, 'cancelled', reasonOf(then));
    return;
  }
  // A person has looked: every bound starts anew.
  set(t, { edges: {}, feedback: [] });
  count(t, 'followUps');
  enterStage(t, indexOf(t.ctx, then.stage), then.overrides);
}

export const reasonOf = (then: Afterwards): string =>
  then.kind === 'cancel' ? cancelledBy(then.by, then.reason) : `redo of ${then.stage}`;
