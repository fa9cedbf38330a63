/** The one place where workflow ids, task queue names and the ids derived from content are built. Pure. */
import { contentId } from '../domain/content-id.js';
import { entryId } from '../domain/merge-queue/plan.js';

export const taskWorkflowId = (repo: string, workItem: string): string => `task/${repo}/${workItem}`;
export const mergeQueueWorkflowId = (repo: string, base: string): string => `merge-queue/${repo}/${base}`;
/** The id is the verdict key: the same tree checked the same way is one workflow. */
export const checkWorkflowId = (repo: string, tree: string, configHash: string): string =>
  checkWorkflowOf(verdictKey(repo, tree, configHash));
export const checkWorkflowOf = (key: string): string => `check/${key}`;
export const verdictKey = (repo: string, tree: string, configHash: string): string => `${repo}/${tree}/${configHash}`;

export type HostQueueKind = 'git' | 'agent' | 'check';
/** Workflows, records and notifications. */
export const controlQueue = (prefix: string): string => prefix;
/** One per host and kind, under a stable host name, so that work survives worker restarts. */
export const hostQueue = (prefix: string, host: string, kind: HostQueueKind): string =>
  `${prefix}-host-${host}-${kind}`;

export { contentId, entryId };

/**
 * Id of an execution of checks: of its run directory, export and job. `asked` is the workflow run that wants it: one that
 * was given up, and is still at work somewhere, shares nothing with the next one for the same key.
 */
export const checkRunId = (key: string, asked: string, attempt: number): string =>
  `check-${contentId(key, asked)}-${attempt}`;

/** A run of an agent: the n-th run of the stage in this generation. */
export const runId = (repo: string, workItem: string, generation: number, stage: string, attempt: number): string =>
  `${repo}.${workItem}.g${generation}.${stage}.${attempt}`;
