/**
 * Whether what lands is what was approved: asked once more directly before a landing is pushed, of the rows, whatever the
 * workflow of the task believes. An approval is of a document, and holds for every head that has the same one.
 */
import type { Decision } from '../tasks.js';
import { artifactPath } from './stages.js';
import type { Pipeline } from './types.js';

export interface NeededApproval {
  stage: string;
  /** The document; null where the stage names none: then any approval of the stage counts. */
  path: string | null;
}

/** The approvals that a pipeline asks for before its merge stage. */
export function approvalsNeeded({ stages }: Pipeline, workItem: string): NeededApproval[] {
  const merge = stages.findIndex((stage) => stage.kind === 'merge');
  return stages.slice(0, merge === -1 ? stages.length : merge).flatMap((stage) => {
    if (stage.kind !== 'approval') return [];
    const of = stages.find(({ name }) => name === stage.of);
    return [{ stage: stage.name, path: artifactPath(workItem, of) }];
  });
}

/** A decision with the document that was shown; null where that is not known, of an earlier version or without one. */
export type DecidedOn = Pick<Decision, 'stage' | 'verdict'> & { blob: string | null };

/**
 * Why the head may not land, or null; `missing`: no row says so, though the task got that far. `blobs`: the documents
 * at the head, by path.
 */
export function approvalFault(
  needed: readonly NeededApproval[],
  decisions: readonly DecidedOn[],
  blobs: Readonly<Record<string, string | null>>,
): { kind: 'missing' | 'other-document'; reason: string } | null {
  for (const { stage, path } of needed) {
    const approved = decisions.filter((d) => d.stage === stage && d.verdict === 'approved');
    if (approved.length === 0) return { kind: 'missing', reason: `no approval of ${stage} is recorded` };
    const holds = path === null || approved.some(({ blob }) => blob === null || blob === blobs[path]);
    const reason = `${stage} was approved for another ${path} than the one that would land`;
    if (!holds) return { kind: 'other-document', reason };
  }
  return null;
}
