/**
 * The clone of a task on this host, and what we remember of it beside it (inside, the agent could rewrite it): a clone
 * is made anew when it is gone, of another generation, or not where the next stage begins.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { Check } from 'typebox/value';
import type { Repo } from '../../domain/repos.js';
import type { RunStart } from '../../store/run-keys.js';
import { blobsIn } from '../git/blobs.js';
import { makeClone } from '../git/clone.js';
import { hasObject, withGate } from '../git/gate.js';
import { fetchRefs, headRef, listRemote } from '../git/remote.js';
import type { AgentHost } from './host.js';
import { isDirectory } from './plain-file.js';
import { readRecord, writeWhole } from './records.js';
import { removeTree } from './remove-tree.js';

const Note = Type.Object({
  generation: Type.Integer(),
  /** Base commit it has as origin/<base>. */
  base: Type.String(),
  /** Commit it was last known to be at. */
  head: Type.String(),
  /** `setup` ran in it, or was restored. */
  setUp: Type.Boolean(),
});
export type CloneNote = Static<typeof Note>;

const noteFile = (host: AgentHost, repo: string, workItem: string): string =>
  `${host.paths.clone(repo, workItem)}.json`;

export function readCloneNote(host: AgentHost, repo: string, workItem: string): CloneNote | null {
  const note = readRecord(noteFile(host, repo, workItem));
  return Check(Note, note) ? note : null;
}

export async function writeCloneNote(host: AgentHost, repo: string, workItem: string, note: CloneNote): Promise<void> {
  const file = noteFile(host, repo, workItem);
  await mkdir(path.dirname(file), { recursive: true });
  writeWhole(file, JSON.stringify(note));
}

/** Makes sure that the next run begins with a new clone. */
export async function forgetClone(host: AgentHost, repo: string, workItem: string): Promise<void> {
  await rm(noteFile(host, repo, workItem), { recursive: true, force: true });
}

export interface CloneWanted {
  workItem: string;
  generation: number;
  branch: string;
  /** Head on the remote; null = none yet. */
  head: string | null;
  /** While there is no head: the work of another task to begin with; null = base. */
  stack: { workItem: string; commit: string } | null;
  /** Where the last run here began; null = there was none. */
  last: RunStart | null;
}

/** Gives the clone's note, with a new clone where the present one will not do. */
export async function ensureClone(host: AgentHost, repo: Repo, wanted: CloneWanted): Promise<CloneNote> {
  const { workItem, generation, branch } = wanted;
  const dir = host.paths.clone(repo.id, workItem);
  const note = readCloneNote(host, repo.id, workItem);
  if (note !== null && fits(note, wanted) && isDirectory(dir)) return note;
  const stacked = wanted.stack === null ? null : await stackStart(host, repo, wanted.stack);
  const from = wanted.head ?? stacked ?? (await branchOnRemote(host, repo, branch));
  await removeTree(dir);
  const made = await makeClone(host.git, repo, { dir, branch, workItem, head: from });
  const fresh: CloneNote = { generation, base: made.base, head: made.head, setUp: false };
  await writeCloneNote(host, repo.id, workItem, fresh);
  return fresh;
}

/** The note lies where an agent might write: it only counts where it says what Postgres and the remote say. */
function fits(note: CloneNote, { generation, head, last }: CloneWanted): boolean {
  return note.generation === generation && note.base === last?.base && note.head === (head ?? last.start);
}

/** That commit; where the other task rewrote its branch since, what is there now; null if nothing is. */
async function stackStart(
  host: AgentHost,
  repo: Repo,
  stack: NonNullable<CloneWanted['stack']>,
): Promise<string | null> {
  return withGate(host.git, repo, async (gate) => {
    const ref = headRef(repo, stack.workItem);
    const now = (await listRemote(host.git, gate.remote, [ref])).get(ref) ?? null;
    if (now !== null) await fetchRefs(gate, [ref]);
    return (await hasObject(gate, stack.commit)) ? stack.commit : now;
  });
}

/** A branch of that name which is on the remote already is where the task begins; null if there is none. */
async function branchOnRemote(host: AgentHost, repo: Repo, branch: string): Promise<string | null> {
  return withGate(host.git, repo, async (gate) => {
    const ref = `refs/heads/${branch}`;
    const oid = (await listRemote(host.git, gate.remote, [ref])).get(ref) ?? null;
    if (oid !== null) await fetchRefs(gate, [ref]);
    return oid;
  });
}

/** For each path its blob in `commit`; null where there is no regular file. */
export async function blobsAt(
  host: AgentHost,
  repo: Repo,
  commit: string | null,
  paths: readonly string[],
): Promise<Record<string, string | null>> {
  if (commit === null || paths.length === 0) return Object.fromEntries(paths.map((p) => [p, null]));
  return withGate(host.git, repo, (gate) => blobsIn(gate, commit, paths));
}
