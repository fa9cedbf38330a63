/** What landing a task now would come to, or why that cannot be told: asking never fails. */
import { setTimeout } from 'node:timers/promises';
import { SignalboxError } from '../domain/errors.js';
import type { Repo } from '../domain/repos.js';
import type { Task } from '../store/tasks.js';
import type { ApiDeps, MergePreview } from './deps.js';

/** For the remote and for whoever holds the gate; git itself gives up much later. */
const PATIENCE_MS = 20_000;

type Answer = ({ available: true } & MergePreview) | { available: false; reason: string };

export async function mergePreview(deps: ApiDeps, repo: Repo, { workItem, head, stackBase }: Task): Promise<Answer> {
  if (head === null) return { available: false, reason: 'the task has no head on the remote yet' };
  const given = new AbortController();
  const late = setTimeout(PATIENCE_MS, null, { signal: given.signal, ref: false }).catch(() => null);
  try {
    const preview = await Promise.race([deps.gitReader.mergePreview(repo, { workItem, head, stackBase }), late]);
    if (preview !== null) return { available: true, ...preview };
    return { available: false, reason: `no answer within ${PATIENCE_MS / 1000} s` };
  } catch (err) {
    if (!(err instanceof SignalboxError)) throw err;
    return { available: false, reason: err.message };
  } finally {
    given.abort();
  }
}
