/**
 * What a directory is to hold, and how each thing in it was found when it was last proven: a tree of nodes. Names are
 * bytes as latin1 characters, since a path need not be UTF-8.
 */
import type { TreeEntry } from '../git/export.js';

/** A file or a link. */
export interface Leaf {
  kind: 'leaf';
  /** As git has it. */
  mode: string;
  /** The blob; null for what a `setup` made, which can only be kept as it is. */
  oid: string | null;
  /** Stamp of what lies there and is this content; null = not there yet. */
  seen: string | null;
}

export interface Dir {
  kind: 'dir';
  children: Map<string, Node>;
  /** Stays although nothing is in it: a submodule, or made by a `setup`. */
  kept: boolean;
  seen: string | null;
}

export type Node = Leaf | Dir;

export const newDir = (kept = false): Dir => ({ kind: 'dir', children: new Map(), kept, seen: null });

const SUBMODULE = '160000';
const GONE = '000000';

export function nodesOf(entries: readonly TreeEntry[]): Dir {
  const root = newDir(true);
  for (const entry of entries) put(root, entry.path.split('/'), nodeFor(entry));
  return root;
}

const nodeFor = ({ mode, oid }: TreeEntry): Node =>
  mode === SUBMODULE ? newDir(true) : { kind: 'leaf', mode, oid, seen: null };

/** Makes the nodes say what the other tree says; what is the same in both keeps its stamps. */
export function applyDiff(root: Dir, changes: readonly TreeEntry[]): void {
  // What makes place comes first: a file may become a directory, and the other way round.
  for (const { path } of changes) remove(root, path.split('/'));
  for (const entry of changes) if (entry.mode !== GONE) put(root, entry.path.split('/'), nodeFor(entry));
}

export function put(root: Dir, names: readonly string[], node: Node): void {
  let dir = root;
  for (const name of names.slice(0, -1)) {
    let next = dir.children.get(name);
    if (next?.kind !== 'dir') dir.children.set(name, (next = newDir()));
    dir = next;
  }
  dir.children.set(names.at(-1) ?? '', node);
}

/** Takes a node out, with the directories that were there for it alone. */
export function remove(root: Dir, names: readonly string[]): void {
  const [name, ...rest] = names;
  if (name === undefined) return;
  const node = root.children.get(name);
  if (rest.length === 0) root.children.delete(name);
  else if (node?.kind === 'dir') {
    remove(node, rest);
    if (node.children.size === 0 && !node.kept) root.children.delete(name);
  }
}

/** The node at a path; undefined where nothing is there. A path through a file leads to that file. */
export function find(root: Dir, names: readonly string[]): Node | undefined {
  let node: Node = root;
  for (const name of names) {
    if (node.kind === 'leaf') return node;
    const next = node.children.get(name);
    if (next === undefined) return undefined;
    node = next;
  }
  return node;
}

/** Every node below, parents first, with its path. */
export function* walk(dir: Dir, prefix = ''): Generator<[path: string, node: Node]> {
  for (const [name, node] of dir.children) {
    const path = prefix + name;
    yield [path, node];
    if (node.kind === 'dir') yield* walk(node, `${path}/`);
  }
}

const FILE = 'F';
const DIRECTORY = 'D';
const KEPT = 'K';
const UP = 'U';
const NOTHING = '-';

/** The nodes as text, for a file; NUL is in no name. */
export function encodeNodes(root: Dir): string {
  const out: string[] = [];
  const write = (dir: Dir): void => {
    out.push(dir.seen ?? NOTHING);
    for (const [name, node] of dir.children) {
      if (node.kind === 'leaf') out.push(FILE, name, node.mode, node.oid ?? NOTHING, node.seen ?? NOTHING);
      else {
        out.push(node.kept ? KEPT : DIRECTORY, name);
        write(node);
      }
    }
    out.push(UP);
  };
  write(root);
  return out.join('\0');
}

/** The other way round. Whoever calls it knows that `encodeNodes` wrote the text. */
export function decodeNodes(text: string): Dir {
  const fields = text.split('\0');
  let at = 0;
  const next = (): string => fields[at++] ?? UP;
  const orNull = (field: string): string | null => (field === NOTHING ? null : field);
  const read = (kept: boolean): Dir => {
    const dir: Dir = { kind: 'dir', children: new Map(), kept, seen: orNull(next()) };
    for (let kind = next(); kind !== UP; kind = next()) {
      const name = next();
      const node: Node =
        kind === FILE ? { kind: 'leaf', mode: next(), oid: orNull(next()), seen: orNull(next()) } : read(kind === KEPT);
      dir.children.set(name, node);
    }
    return dir;
  };
  return read(true);
}
