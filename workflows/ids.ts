/** The one place where workflow ids, task queue names and the ids derived from content are built. Pure. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { EntryIdentity } from '../domain/merge-queue/types.js';

export const taskWorkflowId = (repo: string, workItem: string): string => `task/${repo}/${workItem}`;
export const mergeQueueWorkflowId = (repo: string, base: string): string => `merge-queue/${repo}/${base}`;
/** The id is the verdict key: the same tree checked the same way is one workflow. */
export const checkWorkflowId = (repo: string, tree: string, configHash: string): string =>
  `check/${verdictKey(repo, tree, configHash)}`;
export const verdictKey = (repo: string, tree: string, configHash: string): string => `${repo}/${tree}/${configHash}`;

export type HostQueueKind = 'git' | 'agent' | 'check';
/** Workflows, records and notifications. */
export const controlQueue = (prefix: string): string => prefix;
/** One per host and kind, under a stable host name, so that work survives worker restarts. */
export const hostQueue = (prefix: string, host: string, kind: HostQueueKind): string =>
  `${prefix}-host-${host}-${kind}`;

/** First 128 bits of SHA-256 over the parts, length-prefixed so that no two lists of parts collide; hex. */
export function contentId(...parts: (string | number | null)[]): string {
  const text = parts.map((p) => (p === null ? '-' : `${String(p).length}:${p}`)).join(',');
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, 32);
}

/** entry = H(repo, base, task, generation, head, try). */
export function entryId(e: Omit<EntryIdentity, 'entry' | 'workItem'>): string {
  return contentId(e.repo, e.base, e.task, e.generation, e.head, e.try);
}

/** A run of an agent: the n-th run of the stage in this generation. */
export const runId = (repo: string, workItem: string, generation: number, stage: string, attempt: number): string =>
  `${repo}.${workItem}.g${generation}.${stage}.${attempt}`;
