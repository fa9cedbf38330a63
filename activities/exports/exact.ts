/**
 * Makes a directory hold exactly what its nodes say, after anything may have been done to it.
 *
 * What is proven is kept, and nothing else: an entry stays where its name is wanted and its stamp is the one that was
 * taken when it was last proven (stamps.ts). Every other entry, whatever it is, is moved out of the directory by its
 * name, never opened, followed or written to; so is what only looks the same. A directory whose own stamp changed is
 * made anew, and what was proven in it moves over, since it may carry what lstat does not show (access lists that what
 * is made in it would inherit, say). What is missing then is written by git into a new directory beside, and moved in.
 * So no content, mode, link, owner or extended attribute of an earlier check reaches the next one.
 *
 * Nothing may run here meanwhile: every process of the last check was ended. Where anything is odd (another file system
 * below, something that cannot be moved) it throws, and the export is thrown away.
 */
import { chmodSync, mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { SignalboxError } from '../../domain/errors.js';
import type { Dir, Leaf, Node } from './nodes.js';
import { walk } from './nodes.js';
import { latin1, look, place, stampOf, type Stamper } from './stamps.js';

/** Entries after which others get a turn. */
const BREATH = 2000;

export interface Places {
  /** The directory itself. */
  root: string;
  /** Empty directories on the same file system: for what is thrown away, and for directories that are made anew. */
  junk: string;
  spare: string;
}

const odd = (what: string): SignalboxError => new SignalboxError('host-infrastructure', `an export is odd: ${what}`);

/**
 * Moves out everything that is not proven. Afterwards `seen` is null in exactly the leaves that have to be written, and
 * every wanted directory is there.
 */
export async function keepProven(places: Places, root: Dir, stamper: Stamper): Promise<void> {
  await new Combing(places, stamper).comb(latin1(places.root), root);
}

class Combing {
  readonly #junk: string;
  readonly #spare: string;
  readonly #device: bigint;
  readonly #stamper: Stamper;
  #count = 0;
  #named = 0;

  constructor({ root, junk, spare }: Places, stamper: Stamper) {
    this.#stamper = stamper;
    this.#junk = latin1(junk);
    this.#spare = latin1(spare);
    const there = look(latin1(root));
    if (!there.isDirectory()) throw odd('it is no directory');
    this.#device = there.dev;
  }

  async comb(path: string, dir: Dir): Promise<void> {
    const there = look(path);
    if (there.dev !== this.#device) throw odd('another file system is in it');
    const proven = dir.seen === stampOf(there);
    if (!proven) chmodSync(place(path), 0o700);
    const found = new Set<string>();
    for (const name of readdirSync(place(path), { encoding: 'latin1' })) {
      if ((this.#count += 1) % BREATH === 0) await breathe();
      if (await this.#keep(`${path}/${name}`, dir.children.get(name))) found.add(name);
    }
    if (!proven) this.#replace(path, dir, found);
    for (const [name, node] of dir.children) if (!found.has(name)) makeAnew(`${path}/${name}`, node);
  }

  async #keep(path: string, node: Node | undefined): Promise<boolean> {
    const there = look(path);
    if (node?.kind === 'dir' && there.isDirectory()) {
      await this.comb(path, node);
      return true;
    }
    if (node?.kind === 'leaf' && node.seen !== null && node.seen === stampOf(there)) return true;
    if (there.isDirectory()) {
      if (there.dev !== this.#device) throw odd('another file system is in it');
      // To move a directory one has to be able to write to it.
      chmodSync(place(path), 0o700);
    }
    renameSync(place(path), place(`${this.#junk}/${(this.#named += 1)}`));
    return false;
  }

  #replace(path: string, dir: Dir, found: ReadonlySet<string>): void {
    const fresh = `${this.#spare}/${(this.#named += 1)}`;
    mkdirSync(place(fresh));
    for (const [name, node] of dir.children) {
      if (!found.has(name)) continue;
      renameSync(place(`${path}/${name}`), place(`${fresh}/${name}`));
      // Moving it is a change.
      if (node.kind === 'leaf') node.seen = this.#stamper.take(look(`${fresh}/${name}`));
    }
    rmdirSync(place(path));
    renameSync(place(fresh), place(path));
  }
}

/** Nothing is at the path. */
function makeAnew(path: string, node: Node): void {
  node.seen = null;
  if (node.kind === 'leaf') return;
  mkdirSync(place(path));
  for (const [name, child] of node.children) makeAnew(`${path}/${name}`, child);
}

/** The files and links that are not there yet. */
export function missing(root: Dir): [path: string, leaf: Leaf][] {
  return [...walk(root)].filter((found): found is [string, Leaf] => found[1].kind === 'leaf' && found[1].seen === null);
}

/** Moves what was written beside to its places. */
export async function moveIn(from: string, root: string, paths: readonly string[]): Promise<void> {
  const [source, target] = [latin1(from), latin1(root)];
  for (const [i, path] of paths.entries()) {
    if (i % BREATH === BREATH - 1) await breathe();
    renameSync(place(`${source}/${path}`), place(`${target}/${path}`));
  }
}

/**
 * Takes the stamps of a directory that was just made to hold what the nodes say, and waits until they can be told from
 * later ones. False where this file system cannot prove anything.
 */
export async function stampAll(dir: string, root: Dir, stamper: Stamper): Promise<boolean> {
  const top = latin1(dir);
  root.seen = stamper.take(look(top));
  let count = 0;
  for (const [path, node] of walk(root)) {
    if ((count += 1) % BREATH === 0) await breathe();
    if (node.kind === 'leaf' && node.seen !== null) continue;
    const there = look(`${top}/${path}`);
    if (!isWanted(node, there)) throw odd(`${JSON.stringify(path)} is not what was written`);
    node.seen = stamper.take(there);
  }
  return stamper.settled();
}

function isWanted(node: Node, there: ReturnType<typeof look>): boolean {
  if (node.kind === 'dir') return there.isDirectory();
  if (node.mode === '120000') return there.isSymbolicLink();
  return there.isFile() && (node.oid === null || ((there.mode & 0o100n) !== 0n) === (node.mode === '100755'));
}

/** Nodes for what lies in a directory now, which is taken as it is; null where it holds what is no file, link or directory. */
export async function nodesAt(path: string, stamper: Stamper): Promise<Node | null> {
  let count = 0;
  const read = async (at: string): Promise<Node | null> => {
    if ((count += 1) % BREATH === 0) await breathe();
    const there = look(at);
    const seen = stamper.take(there);
    if (there.isSymbolicLink() || there.isFile()) {
      return { kind: 'leaf', mode: there.isFile() ? '100644' : '120000', oid: null, seen };
    }
    if (!there.isDirectory()) return null;
    const dir: Dir = { kind: 'dir', children: new Map(), kept: true, seen };
    for (const name of readdirSync(place(at), { encoding: 'latin1' })) {
      const node = await read(`${at}/${name}`);
      if (node === null) return null;
      dir.children.set(name, node);
    }
    return dir;
  };
  return read(latin1(path));
}
