/**
 * The merge attributes of a commit, from every `.gitattributes` of its tree. Where those are is asked once of a whole
 * tree, and of each later one only what differs from the one before: git does not open what is equal.
 */
import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { topAttributes, treeAttributes } from '../../domain/merge-queue/attributes.js';
import { objectId, type Gate } from './gate.js';
import type { GitHost } from './host.js';

/** Path (one byte a character) to blob. */
type Files = ReadonlyMap<string, string>;
const NONE: Files = new Map();
/** Trees of a gate whose files are kept; those that have the same ones share them. */
const KEPT = 64;
/** By host, gate and tree. Object ids, so what is kept is never out of date. */
const kept = new WeakMap<GitHost, Map<string, Map<string, Files>>>();
const textsOf = new WeakMap<Files, readonly (Buffer | null)[]>();
const EMPTY_TREE = {
  40: '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  64: '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321',
};

export const attributesPath = (gateDir: string, oid: string): string => path.join(gateDir, 'attributes', oid);

/** The attributes that merges onto this commit use, as a file of the gate named by its blob oid; null if none. */
export async function baseAttributes(gate: Gate, commit: string): Promise<string | null> {
  const [forms] = await attributeForms(gate, [commit]);
  return forms?.[0] ?? null;
}

/**
 * For each commit what landings on it may have been made with: first what they are made with now, then, where that
 * differs, what they were made with before directories below the top were read. A landing is proven by either. Each is
 * as of `baseAttributes`. A commit that this gate lacks has none.
 */
export async function attributeForms(gate: Gate, commits: readonly string[]): Promise<(string | null)[][]> {
  const infos = await gate.objects.info(commits.map((commit) => `${commit}^{tree}`));
  const trees = infos.map((info) => info?.oid ?? null);
  const files = await filesOf(gate, [...new Set(trees.filter((tree) => tree !== null))]);
  const stored = new Map<Files, (string | null)[]>();
  for (const found of new Set(files.values())) stored.set(found, await store(gate, found));
  return trees.map((tree) => stored.get(files.get(tree ?? '') ?? NONE) ?? [null]);
}

/** The attribute files of each of these trees. */
async function filesOf(gate: Gate, trees: readonly string[]): Promise<Map<string, Files>> {
  const known = keptOf(gate);
  const found = new Map(trees.flatMap((tree) => (known.has(tree) ? [[tree, known.get(tree) ?? NONE]] : [])));
  const missing = trees.filter((tree) => !found.has(tree));
  if (missing.length > 0) {
    const [start, before] = await startOf(gate, missing[0] ?? '');
    const input = missing.map((tree, i) => `${missing[i - 1] ?? start} ${tree}\n`).join('');
    const { stdout } = await gate.run(DIFF, { binary: true, input });
    let files = before;
    for (const [tree, changes] of diffsOf(stdout)) {
      if (changes.length > 0) files = changed(files, changes);
      found.set(tree, files);
    }
  }
  for (const tree of trees) {
    known.delete(tree);
    known.set(tree, found.get(tree) ?? NONE);
  }
  for (const tree of [...known.keys()].slice(0, -KEPT)) known.delete(tree);
  return found;
}

const DIFF = [
  ...['diff-tree', '--stdin', '-r', '-z', '--raw', '--no-abbrev', '--no-renames', '--no-ext-diff'],
  ...['--', ':(glob)**/.gitattributes'],
];

interface Change {
  name: string;
  mode: string;
  blob: string;
}

/** Reads what `diff-tree --stdin -z` says of pairs of trees: for each its second one, and what differs. */
function diffsOf(text: string): [string, Change[]][] {
  const diffs: [string, Change[]][] = [];
  const fields = text.split('\0');
  for (let i = 0; i < fields.length; i += 2) {
    // The lines that name the trees end in a line end, also with -z, and so come before the first change.
    const lines = (fields[i] ?? '').split('\n');
    const change = lines.pop() ?? '';
    for (const line of lines) diffs.push([line.split(' ')[1] ?? '', []]);
    const [, mode = '', , blob = ''] = change.split(' ');
    if (change !== '') diffs.at(-1)?.[1].push({ name: fields[i + 1] ?? '', mode, blob });
  }
  return diffs;
}

/** A link, which git does not follow, or what is no file counts as none. */
function changed(files: Files, changes: readonly Change[]): Files {
  const after = new Map(files);
  for (const { name, mode, blob } of changes) {
    if (mode.startsWith('100')) after.set(name, blob);
    else after.delete(name);
  }
  return after;
}

function keptOf(gate: Gate): Map<string, Files> {
  const gates = kept.get(gate.host) ?? new Map<string, Map<string, Files>>();
  kept.set(gate.host, gates);
  const known = gates.get(gate.dir) ?? new Map<string, Files>();
  gates.set(gate.dir, known);
  return known;
}

/** The tree to compare with: the one asked about last, or an empty one. */
async function startOf(gate: Gate, like: string): Promise<[string, Files]> {
  const last = [...keptOf(gate)].at(-1);
  // A gate that was made anew may lack it.
  if (last !== undefined && (await gate.objects.info([last[0]]))[0] != null) return last;
  return [like.length === 64 ? EMPTY_TREE[64] : EMPTY_TREE[40], NONE];
}

async function store(gate: Gate, files: Files): Promise<(string | null)[]> {
  const oids: (string | null)[] = [];
  for (const text of await texts(gate, files)) {
    oids.push(text === null ? null : await storeText(gate, text, [...files.values()][0]?.length === 64));
  }
  return [...new Set(oids)];
}

async function texts(gate: Gate, files: Files): Promise<readonly (Buffer | null)[]> {
  const before = textsOf.get(files);
  if (before !== undefined) return before;
  const found = await gate.objects.contents([...files.values()]);
  const read = [...files.keys()].map((name, i) => ({
    dir: name === '.gitattributes' ? '' : path.posix.dirname(name),
    bytes: found[i]?.bytes ?? Buffer.alloc(0),
  }));
  const top = topAttributes(read.find(({ dir }) => dir === '')?.bytes.toString('utf8') ?? '');
  const all = treeAttributes(read.map(({ dir, bytes }) => ({ dir, text: bytes.toString('latin1') })));
  const made = [all === null ? null : Buffer.from(all, 'latin1'), top === null ? null : Buffer.from(top, 'utf8')];
  textsOf.set(files, made);
  return made;
}

async function storeText(gate: Gate, text: Buffer, sha256: boolean): Promise<string> {
  const oid = objectId('blob', text, sha256 ? 'sha256' : 'sha1');
  const file = attributesPath(gate.dir, oid);
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (!there) {
    await mkdir(path.dirname(file), { recursive: true });
    const fresh = `${file}.${randomUUID()}`;
    await writeFile(fresh, text);
    await rename(fresh, file);
  }
  return oid;
}
